// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// report writes the observed state into the status. If failure is not nil, the owned
// objects may not be updated yet: the other conditions stay as they are.
func (s *scope) report(ctx context.Context, failure error) {
	s.app.Status.ObservedGeneration = s.app.Generation
	if failure != nil {
		v := verdictOn(failure)
		s.set(appv1alpha1.ConditionSettled, v.Condition)
		s.reportStalled(v)
		return
	}
	if !s.resetPending() {
		s.app.Status.ObservedResetRequest = s.app.Annotations[appv1alpha1.ResetAnnotation]
	}
	s.reportMachine()
	s.reportEngine()
	v := s.settled()
	s.reportStalled(v)
	s.set(appv1alpha1.ConditionSettled, s.keepContext(ctx, v.Condition))
}

// verdict is the condition Settled, and whether waiting does not help until the spec or
// something outside changes.
type verdict struct {
	metav1.Condition
	stalled bool
}

// waiting is a verdict for which waiting may help.
func waiting(reason, message string) verdict {
	return verdict{Condition: metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}}
}

// stalled is a verdict for which waiting does not help.
func stalled(reason, message string) verdict {
	v := waiting(reason, message)
	v.stalled = true
	return v
}

// verdictOn returns the verdict if writing the owned objects failed.
func verdictOn(failure error) verdict {
	switch {
	case errors.As(failure, new(*rejectedError)):
		return stalled(appv1alpha1.ReasonTemplateRejected, failure.Error())
	case errors.As(failure, new(*conflictError)):
		return stalled(appv1alpha1.ReasonConflict, failure.Error())
	}
	return waiting(appv1alpha1.ReasonWaitingForEngine, failure.Error())
}

// reportStalled writes the condition Stalled, or removes it.
func (s *scope) reportStalled(v verdict) {
	if !v.stalled {
		apimeta.RemoveStatusCondition(&s.app.Status.Conditions, appv1alpha1.ConditionStalled)
		return
	}
	s.set(appv1alpha1.ConditionStalled, metav1.Condition{Status: metav1.ConditionTrue, Reason: v.Reason, Message: v.Message})
}

// reportEngine copies the engine's state if it is of this generation of the spec.
// Otherwise the condition stays, with its older observedGeneration.
func (s *scope) reportEngine() {
	ready, acted := s.ready()
	switch {
	case acted:
	case s.leaving:
		ready = metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting,
			Message: "disconnecting the previous engine"}
	case apimeta.FindStatusCondition(s.app.Status.Conditions, appv1alpha1.ConditionContainerEngineReady) != nil:
		return
	default:
		ready = metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting, Message: "waiting for the engine's controller"}
	}
	s.app.Status.DockerSocket = ""
	if ready.Status == metav1.ConditionTrue && traits.Of(s.engine.Spec.Type).IsDockerAPI {
		s.app.Status.DockerSocket = s.engine.Spec.Endpoint
	}
	s.set(appv1alpha1.ConditionContainerEngineReady, ready)
}

// ready returns the engine's condition, and whether the engine's controller has handled
// this generation of the spec.
func (s *scope) ready() (state metav1.Condition, acted bool) {
	switch {
	case s.leaving:
		return state, false
	case s.engine == nil && s.app.Spec.Running:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting,
			Message: "the virtual machine is not running yet"}, true
	case s.engine == nil:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonStopped, Message: "stopped"}, true
	}
	status := &s.engine.Status
	ready := apimeta.FindStatusCondition(status.Conditions, containersv1alpha1.ConditionReady)
	if liveness.IsMarked(ready) {
		return *ready, true // of any generation: no controller handles a newer one
	}
	if ready == nil || status.ObservedGeneration != s.engine.Generation || ready.ObservedGeneration != s.engine.Generation ||
		status.ObservedReconnectRequest != s.engine.Annotations[containersv1alpha1.ReconnectAnnotation] {
		return state, false
	}
	// The virtual machine is being replaced or was replaced: the connection belongs to
	// the previous one.
	stale := ready.Status == metav1.ConditionTrue && s.app.Spec.ContainerEngine.Endpoint == "" && !s.machineUp()
	return *ready, !stale
}

// settled returns whether the desired state is reached.
func (s *scope) settled() verdict {
	if blocking := s.machineSettled(); blocking != nil {
		return *blocking
	}
	ready, acted := s.ready()
	switch {
	case s.leaving:
		return waiting(appv1alpha1.ReasonWaitingForEngine, "disconnecting the previous engine")
	case !acted:
		return waiting(appv1alpha1.ReasonWaitingForEngine, "waiting for the engine's controller")
	case s.app.Spec.Running && ready.Reason == containersv1alpha1.ReasonConnected:
		return settledNow("connected to " + s.engine.Spec.Endpoint + s.oldImage() + s.problems())
	case !s.app.Spec.Running && ready.Reason == containersv1alpha1.ReasonStopped:
		return settledNow("stopped" + s.oldImage())
	}
	switch ready.Reason {
	case containersv1alpha1.ReasonUnsupported, containersv1alpha1.ReasonConflict, containersv1alpha1.ReasonEngineChanged,
		containersv1alpha1.ReasonControllerGone, containersv1alpha1.ReasonWrongProtocol:
		return stalled(ready.Reason, ready.Message)
	}
	return waiting(ready.Reason, ready.Message)
}

func settledNow(message string) verdict {
	return verdict{Condition: metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonSettled, Message: message}}
}

// problems returns how many objects could not be mirrored or changed, empty for none.
// They do not unsettle the App.
func (s *scope) problems() string {
	switch failed := s.engine.Status.Failed; failed {
	case 0:
		return ""
	case 1:
		return "; 1 problem"
	default:
		return fmt.Sprintf("; %d problems", failed)
	}
}

// set writes a condition for the generation that was read.
func (s *scope) set(kind string, state metav1.Condition) {
	bounded.Set(&s.app.Status.Conditions, metav1.Condition{
		Type:               kind,
		Status:             state.Status,
		ObservedGeneration: s.app.Generation,
		LastTransitionTime: state.LastTransitionTime,
		Reason:             state.Reason,
		Message:            state.Message,
	})
}
