// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// SocketNotPermitted means: the user may not use the engine's socket.
var SocketNotPermitted = &Diagnostic{
	Code: "socket-not-permitted", Severity: Error, Title: "No permission to use the engine's socket",
	Text:     "{error}",
	Remedy:   "{how}",
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		return append(o.denied(), o.enginesWhere(permits, func(_ *containersv1alpha1.ContainerEngine, ready *metav1.Condition) bool {
			return ready.Reason == containersv1alpha1.ReasonPermissionDenied
		})...)
	},
}

// EngineNotAnswering means: nothing answers at the endpoint, or the connection broke.
var EngineNotAnswering = &Diagnostic{
	Code: "engine-not-answering", Severity: Error, Title: "The engine does not answer",
	Text:      "{error}",
	Remedy:    "{how}. RDD reconnects when the engine answers",
	DependsOn: []*Diagnostic{SocketNotPermitted},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		return o.enginesWhere(answers, func(_ *containersv1alpha1.ContainerEngine, ready *metav1.Condition) bool { return silent(ready) })
	},
}

// EngineWrongProtocol means: another kind of server answers at the endpoint.
var EngineWrongProtocol = &Diagnostic{
	Code: "engine-wrong-protocol", Severity: Error, Title: "The server at the endpoint is another kind of engine",
	Text:     "{error}",
	Remedy:   "{how}",
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		return o.enginesWhere(otherKind, func(_ *containersv1alpha1.ContainerEngine, ready *metav1.Condition) bool {
			return ready.Reason == containersv1alpha1.ReasonWrongProtocol
		})
	},
}

// EngineChanged means: the endpoint leads to another engine than the mirrored one.
var EngineChanged = &Diagnostic{
	Code: "engine-changed", Severity: Error, Title: "Another engine answers",
	Text: "{error}",
	Remedy: "to mirror the other engine, `{rdd} stop` and `{rdd} start` (for a ContainerEngine of your own, spec.running): " +
		"nothing in the engines changes. Otherwise start the previous engine",
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		return o.enginesFor(containersv1alpha1.ReasonEngineChanged)
	},
}

// EngineConflict means: two ContainerEngines of one namespace are one engine.
var EngineConflict = &Diagnostic{
	Code: "engine-conflict", Severity: Error, Title: "Two ContainerEngines in one namespace have the same engine",
	Text:     "{error}",
	Remedy:   "delete one of them: `{rdd} ctl delete containerengine -n {namespace} {name}`, or move it into a namespace of its own",
	Reporter: AppEvents,
	Rule: func(o *Observed) []evidence {
		return append(o.enginesFor(containersv1alpha1.ReasonConflict), o.twins(true)...)
	},
}

// EngineUnsupported means: this program can't connect to such an engine.
var EngineUnsupported = &Diagnostic{
	Code: "engine-unsupported", Severity: Error, Title: "The engine type or endpoint is not supported",
	Text:     "{error}",
	Remedy:   "change the spec: `{rdd} ctl edit containerengine -n {namespace} {name}`, or for the App's `{rdd} set containerEngine.endpoint=…`",
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		return o.enginesFor(containersv1alpha1.ReasonUnsupported)
	},
}

// EngineShared means: ContainerEngines of two namespaces are one engine.
var EngineShared = &Diagnostic{
	Code: "engine-shared", Severity: Info, Title: "Two ContainerEngines have the same engine",
	Text:     "{other} mirrors the same engine ({id}): each container, image and volume is shown twice, and a deletion of either object deletes it",
	Remedy:   "nothing if this is intended; otherwise delete one of them: `{rdd} ctl delete containerengine -n {namespace} {name}`",
	Reporter: AppEvents,
	Rule: func(o *Observed) []evidence {
		return o.twins(false)
	},
}

// silent reports whether an engine's condition Ready says that the engine does not
// answer.
func silent(ready *metav1.Condition) bool {
	switch ready.Reason {
	case containersv1alpha1.ReasonConnectFailed, containersv1alpha1.ReasonDisconnected, containersv1alpha1.ReasonPermissionDenied:
		return true
	}
	return false
}

// enginesFor returns the engines whose condition Ready has a reason.
func (o *Observed) enginesFor(reason string) []evidence {
	return o.enginesWhere(nil, func(_ *containersv1alpha1.ContainerEngine, ready *metav1.Condition) bool {
		return ready.Reason == reason
	})
}

// enginesWhere returns the engines that should run and of whose condition Ready
// matches is true. remedy, unless it is nil, says what to do about one.
func (o *Observed) enginesWhere(remedy func(*Observed, *containersv1alpha1.ContainerEngine) string,
	matches func(*containersv1alpha1.ContainerEngine, *metav1.Condition) bool) []evidence {
	var all []evidence
	for i := range o.Engines {
		e := &o.Engines[i]
		ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
		if ready == nil || !e.ShouldRun() || !matches(e, ready) {
			continue
		}
		if silent(ready) && o.placeOf(e).inVM && !o.appRuns() {
			continue // the engine can't run without its virtual machine
		}
		found := evidence{subject: subjectOf(e), state: ready.Message, inCondition: true,
			args: arguments{"error", ready.Message, "namespace", e.Namespace, "name", e.Name}}
		if remedy != nil {
			found.args = append(found.args, "how", o.typed(remedy(o, e)))
		}
		if o.App != nil && metav1.IsControlledBy(e, o.App) {
			found.reaches = []Subject{theApp()}
		}
		all = append(all, found)
	}
	return all
}

// appRuns reports whether the App's virtual machine runs.
func (o *Observed) appRuns() bool {
	return apimeta.IsStatusConditionTrue(o.App.Status.Conditions, appv1alpha1.ConditionRunning)
}

// unit returns the systemd unit of the App's engine in the guest.
func (o *Observed) unit() string {
	if o.App == nil {
		return ""
	}
	return traits.Of(o.App.Spec.ContainerEngine.Name).Service
}

// isLocal reports whether an engine listens at a socket or a pipe of this machine.
func isLocal(text string) bool {
	address, err := endpoint.Parse(text)
	return err == nil && address.Local()
}
