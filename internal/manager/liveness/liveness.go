// SPDX-License-Identifier: Apache-2.0

// Package liveness finds controllers that no process runs, by their Leases, and sets
// their conditions to Unknown, because these may be stale.
// something is now, which is untrue once its controller has gone.
package liveness

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// grace is how much longer than its Lease a controller counts as alive: a process that
// has just started, or whose machine has just resumed, acquires or renews the Lease
// within that time.
const grace = 3 * time.Second

// holder returns the holder of a Lease; empty if it has none. A nil Lease does not
// exist.
func holder(lease *coordinationv1.Lease) string {
	if lease == nil {
		return ""
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

func durationOf(lease *coordinationv1.Lease) time.Duration {
	return time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second
}

// versionOf returns a value that changes with each renewal.
func versionOf(lease *coordinationv1.Lease) string {
	if lease == nil {
		return "none"
	}
	return string(lease.UID) + "@" + lease.ResourceVersion
}

// observation is the observed state of a controller's Lease. It never compares two
// clocks, so that a step of a clock has no effect.
type observation struct {
	version  string
	deadline time.Time // when the Lease expires, or its grace ends
	doubted  bool      // it has expired, and its grace has not ended
}

// judge reports whether the controller is gone. If not, again is when to call judge
// again unless the Lease changes; zero for never.
func (o *observation) judge(lease *coordinationv1.Lease, now time.Time) (gone bool, again time.Time) {
	if version := versionOf(lease); version != o.version {
		*o = observation{version: version, deadline: now}
		if holder(lease) != "" {
			o.deadline = now.Add(durationOf(lease))
		}
	}
	if holder(lease) == manager.EmbeddedKey {
		return false, time.Time{} // this process: it releases the Leases of controllers that it does not run
	}
	// The grace starts when the expiry is noticed, not when it was due: both pass at
	// once if the machine was suspended.
	if !o.doubted && !now.Before(o.deadline) {
		o.doubted, o.deadline = true, now.Add(grace)
	}
	if now.Before(o.deadline) {
		return false, o.deadline
	}
	return true, time.Time{}
}

// Absence describes a controller that no process runs.
type Absence struct {
	Controller string
	// Holder is the last process that ran the controller and did not release the Lease;
	// empty if the controller stopped cleanly, or was never started.
	Holder string
}

// Message is the message of the conditions.
func (a Absence) Message() string {
	if a.Holder == "" {
		return fmt.Sprintf("no process runs the controller %s, and this may have changed since it did", a.Controller)
	}
	return fmt.Sprintf("no process runs the controller %s, and this may have changed since %s did, which no longer renews its lease",
		a.Controller, printable.Text(a.Holder, longestHolder))
}

// longestHolder bounds what a message quotes of a Lease, in bytes.
const longestHolder = 128

// Mark sets existing conditions of the types to Unknown, and reports whether that
// changed any.
func (a Absence) Mark(conditions *[]metav1.Condition, types []string, now time.Time) (changed bool) {
	for _, kind := range types {
		condition := apimeta.FindStatusCondition(*conditions, kind)
		if condition == nil || IsMarked(condition) {
			continue
		}
		changed = true
		if condition.Status != metav1.ConditionUnknown {
			condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
		}
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, containersv1alpha1.ReasonControllerGone, a.Message()
	}
	return changed
}

// IsMarked reports whether a condition is Unknown because its controller is gone.
func IsMarked(condition *metav1.Condition) bool {
	return condition != nil && condition.Status == metav1.ConditionUnknown && condition.Reason == containersv1alpha1.ReasonControllerGone
}

// AnyMarked reports whether a condition is Unknown because its controller is gone.
func AnyMarked(conditions []metav1.Condition) bool {
	for i := range conditions {
		if IsMarked(&conditions[i]) {
			return true
		}
	}
	return false
}

// WhenMarked passes objects with marked conditions. A controller that receives one is
// alive, and writes the conditions again: its process was suspended, or could not renew
// its Lease in time.
func WhenMarked(conditionsOf func(client.Object) []metav1.Condition) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return AnyMarked(conditionsOf(e.ObjectNew)) },
	}
}
