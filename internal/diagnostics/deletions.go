// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"strconv"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// maxDeletions is how many deletions are named one by one.
const maxDeletions = 10

// Deletion is the deletion of an object that the engine refused or fails to carry
// out.
type Deletion struct {
	// Subject is the object.
	Subject Subject
	// What is what people call what it stands for, such as: volume data.
	What string
	// Refused is whether the engine refused, and the deletion ended. Else it is
	// tried again.
	Refused bool
	// Words are the engine's.
	Words string
}

// DeletionOf returns what an object's metadata and conditions say of its deletion;
// false for nothing that concerns anyone.
func DeletionOf(object metav1.Object, conditions []metav1.Condition) (refused bool, words string, ok bool) {
	if c := apimeta.FindStatusCondition(conditions, containersv1alpha1.ConditionDeletionRefused); c != nil && c.Status == metav1.ConditionTrue &&
		(object.GetDeletionTimestamp() == nil || c.ObservedGeneration == object.GetGeneration()) {
		return true, c.Message, true
	}
	if c := apimeta.FindStatusCondition(conditions, containersv1alpha1.ConditionDeleting); c != nil && c.Status == metav1.ConditionFalse {
		return false, c.Message, true
	}
	return false, "", false
}

// DeletionFailed: the engine fails to remove what was deleted.
var DeletionFailed = &Diagnostic{
	Code: "deletion-failed", Severity: Error, Title: "The engine fails to remove what was deleted",
	Text: "{what}: {error}{more}",
	Remedy: "it is tried again by itself. See what holds it where the engine runs (a mount that is busy, a file system that is full or " +
		"read-only, a process that does not end), and the engine's own log; `{rdd} ctl describe {kind} -n {namespace} {name}` has more",
	DependsOn: []*Diagnostic{EngineNotAnswering},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		return o.deletions(false)
	},
}

// DeletionRefused: the engine refused to remove what was deleted.
var DeletionRefused = &Diagnostic{
	Code: "deletion-refused", Severity: Warning, Title: "The engine refused to remove what was deleted",
	Text: "{what}: {error}{more}",
	Remedy: "nothing is lost, and it is not tried again: the object is there anew. Remove what uses it and delete it again; or have the engine " +
		"remove it by force: `{rdd} ctl annotate {kind} -n {namespace} {name} " + containersv1alpha1.ForceAnnotation + "=true` before that. " +
		"This is said for an hour",
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		return o.deletions(true)
	},
}

// deletions returns those that were refused, or those that fail, of the first few.
func (o *Observed) deletions(refused bool) []evidence {
	var all []evidence
	for i, deletion := range o.Deletions[:min(len(o.Deletions), maxDeletions)] {
		if deletion.Refused != refused {
			continue
		}
		more := ""
		if i == maxDeletions-1 && len(o.Deletions) > maxDeletions {
			more = "; and " + strconv.Itoa(len(o.Deletions)-maxDeletions) + " more deletions"
		}
		all = append(all, evidence{subject: deletion.Subject, standing: true,
			args: arguments{"what", deletion.What, "error", deletion.Words, "more", more,
				"kind", deletion.Subject.Kind, "namespace", deletion.Subject.Namespace, "name", deletion.Subject.Name}})
	}
	return all
}
