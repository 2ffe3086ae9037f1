// SPDX-License-Identifier: Apache-2.0

package bounded

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
)

func TestConditionsAndEventsAreSafeToShow(t *testing.T) {
	t.Parallel()
	words := "the engine says \x1b]0;title\a\nno" + strings.Repeat("!", 100_000)
	var conditions []metav1.Condition
	if !Set(&conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "X", Message: words}) {
		t.Error("a new condition is no change")
	}
	if Set(&conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "X", Message: words}) {
		t.Error("the same condition again is a change")
	}
	recorder := record.NewFakeRecorder(3)
	Events(recorder).Event(nil, "Warning", "R", words)
	Events(recorder).Eventf(nil, "Warning", "R", "%s", words)
	Events(recorder).AnnotatedEventf(nil, nil, "Warning", "R", "%s", words)
	messages := []string{conditions[0].Message}
	for range 3 {
		messages = append(messages, strings.TrimPrefix(<-recorder.Events, "Warning R "))
	}
	const start = `the engine says \x1b]0;title\x07 no!!`
	for _, message := range messages {
		if len(message) > 1024 || !strings.HasPrefix(message, start) || !strings.HasSuffix(message, "!…(100029 bytes)") {
			t.Errorf("%d bytes: %.60q … %q", len(message), message, message[max(0, len(message)-20):])
		}
	}
	if got := Error(errors.New(words)); len(got) > maxError || !strings.HasPrefix(got, start) {
		t.Errorf("an error of %d bytes: %.60q", len(got), got)
	}
}
