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
	// marksAtOnce bounds the writes of one report.
	marksAtOnce = 100

	// markRetry is the time until a mark that the API server refused is retried.
	markRetry = time.Minute
)

// notices reports the problems: in the condition Synced of the mirrors, and in Events
// on them and on the ContainerEngine. The reconciler writes the conditions of the
// ContainerEngine.
type notices struct {
	problems *problems
	table    *table
	owner    owner
	writer   *writer
	events   record.EventRecorder
	clock    clock.PassiveClock

	later map[engine.Key]time.Time // marks that were refused, and when to retry them; for the caller of report only
}

// report reports the changes since the last call. It is for one goroutine.
func (n *notices) report(ctx context.Context) {
	for _, p := range n.problems.takeUnannounced() {
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

// mark updates the condition Synced of an object's mirrors.
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
			// The ContainerEngine reports the problem nevertheless.
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

// inWrite returns updated, the new version of have, with the condition Synced for a
// successful write; nil if nothing changes. updated is nil if nothing else changes.
func (n *notices) inWrite(key engine.Key, have, updated client.Object) client.Object {
	lasting := n.problems.of(key, have.GetName(), containersv1alpha1.ReasonInspectFailed, containersv1alpha1.ReasonWriteRefused)
	return n.marked(have, updated, lasting)
}

// marked returns updated, or a copy of have if that is nil, with the problem in its
// condition Synced; nil if that equals have.
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

// refusedForGood reports whether the API server refused a write that a retry can't
// help: it is invalid or too large, or a policy or a webhook denies it.
func refusedForGood(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}
