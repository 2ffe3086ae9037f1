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

func ofDeletions() []Definition {
	return []Definition{{
		Code: DeletionFailed, Severity: Error, Title: "The engine failed to remove a deleted object",
		Text: "{what}: {error}{more}",
		Remedy: "RDD retries the removal. See what blocks it on the engine's machine (a busy mount, a full or read-only file system, " +
			"a process that does not exit), and the engine's log; `{rdd} ctl describe {kind} -n {namespace} {name}` shows more",
		DependsOn: []Code{EngineNotAnswering},
	}, {
		Code: DeletionRefused, Severity: Warning, Title: "The engine refused to remove a deleted object",
		Text: "{what}: {error}{more}",
		Remedy: "nothing is lost, and RDD does not retry: a new object replaces the deleted one. Remove what uses it and delete it again; or " +
			"force the removal: run `{rdd} ctl annotate {kind} -n {namespace} {name} " + containersv1alpha1.ForceAnnotation + "=true` first. " +
			"This message is shown for an hour",
	}}
}

// deletions adds the deletions that the engine refused or failed.
func (d *diagnosis) deletions() {
	for i, deletion := range d.Deletions {
		code, more := DeletionFailed, ""
		if deletion.Refused {
			code = DeletionRefused
		}
		if i == maxDeletions-1 && len(d.Deletions) > maxDeletions {
			more = "; and " + strconv.Itoa(len(d.Deletions)-maxDeletions) + " more deletions"
		}
		d.add(code, deletion.Subject, string(code), "what", deletion.What, "error", deletion.Words, "more", more,
			"kind", deletion.Subject.Kind, "namespace", deletion.Subject.Namespace, "name", deletion.Subject.Name).inCondition = true
		if i == maxDeletions-1 {
			return
		}
	}
}
