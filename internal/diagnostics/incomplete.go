// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// EngineIncomplete means: something could not be mirrored or done.
var EngineIncomplete = &Diagnostic{
	Code: "engine-incomplete", Severity: Warning, Title: "Some objects of the engine are not mirrored",
	Text: "{error}",
	Remedy: "{how}. `{rdd} ctl describe containerengine -n {namespace} {name}` shows an Event for each problem. " +
		"RDD retries all of them",
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
			all = append(all, evidence{subject: subjectOf(e), state: complete.Reason, inCondition: true,
				args: arguments{"error", complete.Message, "how", o.typed(o.placeOf(e).howToComplete(complete.Reason)), "namespace", e.Namespace, "name", e.Name}})
		}
		return all
	},
}

// howToComplete returns the remedy for a reason of the condition Complete.
func (p place) howToComplete(reason string) string {
	switch reason {
	case containersv1alpha1.ReasonListFailed:
		return "the engine can't list its objects: " + p.log() + " says why"
	case containersv1alpha1.ReasonListSlow:
		return "wait: RDD uses the list when the engine returns it, and shows everything else until then. The usual cause is a slow disk or network, for volumes also their driver"
	case containersv1alpha1.ReasonInspectFailed:
		return "wait if the object is being started or stopped: the engine answers after that; otherwise " + p.log() + " says why"
	case containersv1alpha1.ReasonWriteRefused:
		return "the message names the policy, the webhook or the limit that refuses the object: `{rdd} ctl get validatingadmissionpolicies,validatingwebhookconfigurations,mutatingwebhookconfigurations` " +
			"lists the first two; change them to allow the service's writes"
	case containersv1alpha1.ReasonActFailed:
		return "the action failed with the engine's error in the message; to cancel it, remove the annotation or spec.state"
	case containersv1alpha1.ReasonDeletionFailed:
		same := ""
		if command := p.removes(); command != "" {
			same = ", and `" + command + "` fails with the same error"
		}
		return "the engine failed to remove the object with the error in the message: most often a mount is busy" + same + "; RDD retries until the engine has removed it"
	}
	return "see the message"
}
