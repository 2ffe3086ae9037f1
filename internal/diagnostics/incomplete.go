// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// EngineIncomplete: something could not be mirrored or done.
var EngineIncomplete = &Diagnostic{
	Code: "engine-incomplete", Severity: Warning, Title: "Not all of the engine is shown as it is",
	Text: "{error}",
	Remedy: "{how}. `{rdd} ctl describe containerengine -n {namespace} {name}` has an Event for each problem. " +
		"All of it is tried again by itself, and this goes when it is over",
	DependsOn: []*Diagnostic{EngineNotAnswering, EngineWrongProtocol, EngineChanged, EngineConflict, EngineUnsupported},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		var all []evidence
		for i := range o.Engines {
			e := &o.Engines[i]
			complete := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionComplete)
			if complete == nil || complete.Status != metav1.ConditionFalse {
				continue
			}
			all = append(all, evidence{subject: subjectOf(e), state: complete.Reason, standing: true,
				args: arguments{"error", complete.Message, "how", o.typed(o.placeOf(e).howToComplete(complete.Reason)), "namespace", e.Namespace, "name", e.Name}})
		}
		return all
	},
}

// howToComplete says what to do about the reason for which something is missing.
func (p place) howToComplete(reason string) string {
	switch reason {
	case containersv1alpha1.ReasonListFailed:
		return "the engine can't list what it has: " + p.log() + " says why"
	case containersv1alpha1.ReasonListSlow:
		return "wait: RDD uses the list when it comes, and shows everything else until then. A slow disk or network is the usual cause, for volumes also their driver"
	case containersv1alpha1.ReasonInspectFailed:
		return "wait if the object is being started or stopped, as the engine answers after that; else " + p.log() + " says why"
	case containersv1alpha1.ReasonWriteRefused:
		return "the message names the policy, the webhook or the limit that refuses the object: `{rdd} ctl get validatingadmissionpolicies,validatingwebhookconfigurations,mutatingwebhookconfigurations` " +
			"lists the first two; have them let through what the service writes"
	case containersv1alpha1.ReasonActFailed:
		return "the engine failed to do it, in the words of the message; take the wish back by removing the annotation, or spec.state, where it is no longer meant"
	case containersv1alpha1.ReasonDeletionFailed:
		same := ""
		if command := p.removes(); command != "" {
			same = ", and `" + command + "` says the same"
		}
		return "the engine failed to remove it, in the words of the message: most often a mount is busy" + same + "; it goes when the cause has"
	}
	return "see the message"
}
