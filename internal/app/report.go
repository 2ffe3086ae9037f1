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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// report writes what is known into the status; failure is why not all that the
// spec asks for could be asked of others, whose conditions then are as they were.
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

// verdict is what Settled says, and whether waiting does not help until the spec or
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

// verdictOn returns the verdict if not all that the spec asks for could be asked of
// others.
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

// reportEngine says how the engine is, where that is of this generation of the
// spec. Else what was said of an earlier one stays, as being of that.
func (s *scope) reportEngine() {
	ready, acted := s.ready()
	switch {
	case acted:
	case s.leaving:
		ready = metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting,
			Message: "the engine of the setting before is being disconnected"}
	case apimeta.FindStatusCondition(s.app.Status.Conditions, appv1alpha1.ConditionContainerEngineReady) != nil:
		return
	default:
		ready = metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting, Message: "not acted on yet"}
	}
	s.app.Status.DockerSocket = ""
	if ready.Status == metav1.ConditionTrue && s.engine.Spec.Type == containersv1alpha1.EngineMoby {
		s.app.Status.DockerSocket = s.engine.Spec.Endpoint
	}
	s.set(appv1alpha1.ConditionContainerEngineReady, ready)
}

// ready returns how the engine is, and whether its controller has acted on what
// this generation of the spec asks of it.
func (s *scope) ready() (state metav1.Condition, acted bool) {
	switch {
	case s.leaving:
		return state, false
	case s.engine == nil && s.app.Spec.Running:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting,
			Message: "the virtual machine does not run yet"}, true
	case s.engine == nil:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonStopped, Message: "stopped"}, true
	}
	status := &s.engine.Status
	ready := apimeta.FindStatusCondition(status.Conditions, containersv1alpha1.ConditionReady)
	if liveness.IsMarked(ready) {
		return *ready, true // whichever generation it was of: no controller acts on another one
	}
	if ready == nil || status.ObservedGeneration != s.engine.Generation || ready.ObservedGeneration != s.engine.Generation ||
		status.ObservedReconnectRequest != s.engine.Annotations[containersv1alpha1.ReconnectAnnotation] {
		return state, false
	}
	// A connection to a virtual machine that is about to be another one, or is
	// another one already, is of what was asked for before.
	stale := ready.Status == metav1.ConditionTrue && s.app.Spec.ContainerEngine.Endpoint == "" && !s.machineUp()
	return *ready, !stale
}

// settled says whether everything that the spec asks for is true.
func (s *scope) settled() verdict {
	if blocking := s.machineSettled(); blocking != nil {
		return *blocking
	}
	ready, acted := s.ready()
	switch {
	case s.leaving:
		return waiting(appv1alpha1.ReasonWaitingForEngine, "the engine of the setting before is being disconnected")
	case !acted:
		return waiting(appv1alpha1.ReasonWaitingForEngine, "the engine's controller has not acted yet")
	case s.app.Spec.Running && ready.Reason == containersv1alpha1.ReasonConnected:
		return settledNow("connected to " + s.engine.Spec.Endpoint + s.oldImage() + s.problems())
	case !s.app.Spec.Running && ready.Reason == containersv1alpha1.ReasonStopped:
		return settledNow("stopped" + s.oldImage())
	}
	switch ready.Reason {
	case containersv1alpha1.ReasonUnsupported, containersv1alpha1.ReasonConflict, containersv1alpha1.ReasonEngineChanged,
		containersv1alpha1.ReasonControllerGone:
		return stalled(ready.Reason, ready.Message)
	}
	return waiting(ready.Reason, ready.Message)
}

func settledNow(message string) verdict {
	return verdict{Condition: metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonSettled, Message: message}}
}

// problems says how much could not be mirrored or done, empty for nothing: that
// is no reason to wait.
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

// set writes a condition, which speaks of the generation that was read.
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
