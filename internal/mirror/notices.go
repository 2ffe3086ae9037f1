// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// marksAtOnce bounds the writes of one look at the problems.
	marksAtOnce = 100

	// markRetry is when a mark that the API server refused is tried again.
	markRetry = time.Minute
)

// notices tells of the problems: in the condition Synced of the mirrors, and in
// Events of them and of the ContainerEngine. What the ContainerEngine's own
// conditions say is the reconciler's matter.
type notices struct {
	problems *problems
	table    *table
	owner    owner
	writer   *writer
	events   record.EventRecorder
	clock    clock.PassiveClock

	later map[engine.Key]time.Time // marks that were refused, and when to try again; of the one caller of tell
}

// tell tells what changed since the last call. It is for one goroutine.
func (n *notices) tell(ctx context.Context) {
	for _, p := range n.problems.news() {
		n.announce(&p)
	}
	now := n.clock.Now()
	for key, at := range n.later {
		if !at.After(now) {
			delete(n.later, key)
			n.problems.touch(key)
		}
	}
	for i, key := range n.problems.takeTouched() {
		if i >= marksAtOnce {
			n.problems.touch(key)
			continue
		}
		n.mark(ctx, key)
	}
}

// announce sends the Events of one problem.
func (n *notices) announce(p *problem) {
	n.events.Event(&containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{
		Namespace: n.owner.namespace, Name: n.owner.name, UID: n.owner.reference.UID,
	}}, corev1.EventTypeWarning, p.reason, p.message)
	if p.key.ID == "" {
		return
	}
	for _, m := range n.table.of(p.key) {
		if p.concerns(m.GetName()) {
			n.events.Event(m, corev1.EventTypeWarning, p.reason, p.message)
		}
	}
}

// mark makes the condition Synced of an object's mirrors true.
func (n *notices) mark(ctx context.Context, key engine.Key) {
	for _, m := range n.table.of(key) {
		marked := n.marked(m, nil, n.problems.of(key, m.GetName()))
		if marked == nil {
			continue
		}
		err := n.writer.status(ctx, marked)
		switch {
		case err == nil:
		case apierrors.IsNotFound(err):
		case refusedForGood(err):
			// The ContainerEngine says it nevertheless.
			if n.later == nil {
				n.later = map[engine.Key]time.Time{}
			}
			if len(n.later) < maxProblems {
				n.later[key] = n.clock.Now().Add(markRetry)
			}
		default:
			n.problems.touch(key)
		}
	}
}

// inWrite returns updated, which is to be written instead of have, with the
// condition Synced as it is once the write has succeeded; nil where there is
// nothing to write. updated is nil where nothing else changes.
func (n *notices) inWrite(key engine.Key, have, updated client.Object) client.Object {
	lasting := n.problems.of(key, have.GetName(), containersv1alpha1.ReasonInspectFailed, containersv1alpha1.ReasonWriteRefused)
	return n.marked(have, updated, lasting)
}

// marked returns updated, or a copy of have where that is nil, with the problem
// in its condition Synced; nil where it equals have.
func (n *notices) marked(have, updated client.Object, p *problem) client.Object {
	old := apimeta.FindStatusCondition(*conditionsOf(have), containersv1alpha1.ConditionSynced)
	if old == nil && p == nil {
		return updated
	}
	if updated == nil {
		updated = have.DeepCopyObject().(client.Object)
	}
	conditions := conditionsOf(updated)
	if p == nil {
		apimeta.RemoveStatusCondition(conditions, containersv1alpha1.ConditionSynced)
	} else {
		if old != nil && apimeta.FindStatusCondition(*conditions, containersv1alpha1.ConditionSynced) == nil {
			*conditions = append(*conditions, *old)
		}
		apimeta.SetStatusCondition(conditions, p.condition())
	}
	if apiequality.Semantic.DeepEqual(have, updated) {
		return nil
	}
	return updated
}

// refusedForGood reports whether the API server refused a write in a way that
// the same write will meet again: it is invalid or too large, or a policy or a
// webhook denies it.
func refusedForGood(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}
