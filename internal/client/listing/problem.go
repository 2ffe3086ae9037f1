// SPDX-License-Identifier: Apache-2.0

package listing

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	// problemColumn is the last column. It is omitted if no object has a problem.
	problemColumn = "PROBLEM"

	// problemWidth is the maximum length of a problem, in characters.
	problemWidth = 120
)

// Problem describes an operation that failed for an object: its deletion, or another one
// from its condition Synced. It is empty if there is none.
func (l *Lister) Problem(obj client.Object) string {
	conditions, ok := Conditions(obj)
	if !ok {
		return ""
	}
	refused, words, deletion := diagnostics.DeletionOf(obj, conditions)
	synced := apimeta.FindStatusCondition(conditions, containersv1alpha1.ConditionSynced)
	var text string
	switch {
	case deletion && refused:
		text = "deletion refused: " + words
	case deletion:
		text = "removing: " + words
	case synced != nil && synced.Status != metav1.ConditionTrue:
		text = synced.Reason + ": " + synced.Message
	case obj.GetDeletionTimestamp() != nil:
		text = "removing"
	}
	text = printable.Text(text, 0)
	if runes := []rune(text); !l.Full && len(runes) > problemWidth {
		text = string(runes[:problemWidth-1]) + "…"
	}
	return text
}

// Conditions returns the conditions of a mirror, and whether obj is a mirror.
func Conditions(obj client.Object) ([]metav1.Condition, bool) {
	switch o := obj.(type) {
	case *containersv1alpha1.Container:
		return o.Status.Conditions, true
	case *containersv1alpha1.Image:
		return o.Status.Conditions, true
	case *containersv1alpha1.Volume:
		return o.Status.Conditions, true
	case *containersv1alpha1.Network:
		return o.Status.Conditions, true
	}
	return nil, false
}
