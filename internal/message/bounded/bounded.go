// SPDX-License-Identifier: Apache-2.0

// Package bounded writes text into conditions and Events. Much of it quotes an engine
// or another program: the text is safe to show, and has at most [printable.Condition]
// bytes.
package bounded

import (
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// maxError is how much of an error a message quotes, so that the rest of the message
// has room.
const maxError = 768

// Set is [apimeta.SetStatusCondition] with a message that is safe to show. It reports whether the conditions changed.
func Set(conditions *[]metav1.Condition, condition metav1.Condition) bool {
	condition.Message = Text(condition.Message)
	return apimeta.SetStatusCondition(conditions, condition)
}

// Text returns the text in the form for a condition or an Event.
func Text(text string) string { return printable.Text(text, printable.Condition) }

// Error returns an error in the form for a message with other text after it.
func Error(err error) string { return printable.Text(err.Error(), maxError) }

// Events returns a recorder whose Events are safe to show.
func Events(recorder record.EventRecorder) record.EventRecorder { return events{recorder} }

type events struct{ recorder record.EventRecorder }

// Event implements [record.EventRecorder].
func (e events) Event(object runtime.Object, kind, reason, message string) {
	e.recorder.Event(object, kind, reason, Text(message))
}

// Eventf implements [record.EventRecorder].
func (e events) Eventf(object runtime.Object, kind, reason, format string, args ...any) {
	e.Event(object, kind, reason, fmt.Sprintf(format, args...))
}

// AnnotatedEventf implements [record.EventRecorder].
func (e events) AnnotatedEventf(object runtime.Object, annotations map[string]string, kind, reason, format string, args ...any) {
	e.recorder.AnnotatedEventf(object, annotations, kind, reason, "%s", Text(fmt.Sprintf(format, args...)))
}
