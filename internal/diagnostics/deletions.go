// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"strconv"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// maxDeletions is how many deletions have a finding each.
const maxDeletions = 10

// Deletion is a deletion that the engine refused or fails to carry out.
type Deletion struct {
	// Subject is the deleted object.
	Subject Subject
	// What names the engine object, such as: volume data.
	What string
	// Refused is whether the engine refused and the deletion ended. If not, the
	// controller retries it.
	Refused bool
	// Words is the engine's error.
	Words string
}

// DeletionOf returns the engine's error for the deletion of a mirror, from its
// metadata and conditions; ok is false if there is none.
func DeletionOf(object metav1.Object, conditions []metav1.Condition) (refused bool, engineError string, ok bool) {
	if c := apimeta.FindStatusCondition(conditions, containersv1alpha1.ConditionDeletionRefused); c != nil && c.Status == metav1.ConditionTrue &&
		(object.GetDeletionTimestamp() == nil || c.ObservedGeneration == object.GetGeneration()) {
		return true, c.Message, true
	}
	if c := apimeta.FindStatusCondition(conditions, containersv1alpha1.ConditionDeleting); c != nil && c.Status == metav1.ConditionFalse {
		return false, c.Message, true
	}
	return false, "", false
}

// DeletionFailed means: the engine fails to remove what was deleted.
var DeletionFailed = &Diagnostic{
	Code: "deletion-failed", Severity: Error, Title: "The engine failed to remove a deleted object",
	Text: "{what}: {error}{more}",
	Remedy: "RDD retries the removal. See what blocks it on the engine's machine (a busy mount, a full or read-only file system, " +
		"a process that does not exit), and the engine's log; `{rdd} ctl describe {kind} -n {namespace} {name}` shows more",
	DependsOn: []*Diagnostic{EngineNotAnswering},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		return o.deletions(false)
	},
}

// DeletionRefused means: the engine refused to remove what was deleted.
var DeletionRefused = &Diagnostic{
	Code: "deletion-refused", Severity: Warning, Title: "The engine refused to remove a deleted object",
	Text: "{what}: {error}{more}",
	Remedy: "nothing is lost, and RDD does not retry: a new object replaces the deleted one. Remove what uses it and delete it again; or " +
		"force the removal: run `{rdd} ctl annotate {kind} -n {namespace} {name} " + containersv1alpha1.ForceAnnotation + "=true` first. " +
		"This message is shown for an hour",
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
		all = append(all, evidence{subject: deletion.Subject, inCondition: true,
			args: arguments{"what", deletion.What, "error", deletion.Words, "more", more,
				"kind", deletion.Subject.Kind, "namespace", deletion.Subject.Namespace, "name", deletion.Subject.Name}})
	}
	return all
}
