// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// errUnverified is the error of an answer that may be from another engine.
var errUnverified = errors.New("the connection to the engine broke before the answer was verified")

// errForeign is the error of an object with the name of a mirror and another owner.
var errForeign = errors.New("an object of that name exists and is not a mirror of this engine")

// sync makes the mirrors of one engine object equal to it. It reads the engine
// first and writes only differences. A nil error means that the mirrors are equal.
func (s *syncer) sync(ctx context.Context, key engine.Key) error {
	if s.namespaces.isReleased(key) {
		return nil
	}
	if err := checkKey(key); err != nil {
		return err
	}
	number, before, reportedGone := s.connection.link.number(), s.table.of(key), s.connection.removals.has(key)
	if reportedGone && kinds[key.Kind].removedByEvent {
		return s.removeAnnounced(ctx, key)
	}
	object, err := s.inspect(ctx, key)
	if object.Affects != (engine.Key{}) {
		s.queue.Add(object.Affects)
	}
	switch {
	case errors.Is(err, engine.ErrNotFound):
		if err := s.connection.verifyGone(ctx, key, number); err != nil {
			return err
		}
		s.forget(key)
		object = engine.Object{Key: key}
	case err != nil && kinds[key.Kind].removedByEvent && s.connection.removals.has(key):
		return s.removeAnnounced(ctx, key)
	case err != nil:
		s.connection.link.whileUp(func() { s.problems.suspect(key, containersv1alpha1.ReasonInspectFailed, err) })
		return fmt.Errorf("inspect %s %s: %w", key.Kind, key.ID, err)
	case object.Key != key: // an image that was inspected by a reference
		s.connection.removals.take(object.Key) // the engine has it, perhaps again
		s.queue.Add(object.Key)
		return nil
	case reportedGone: // and created again
		s.connection.removals.take(key)
	}
	namespace, err := s.namespaces.name(ctx, kinds[key.Kind].namespace(object))
	if err != nil {
		var refused refusals
		refused.fail(fmt.Errorf("write its ContainerNamespace: %w", err))
		refused.note(s.problems, key)
		return err
	}
	want, have := s.owner.mirrors(object, namespace), s.table.of(key)
	err = s.write(ctx, key, have, want)
	// Only for new tags: an engine may list one tag for two images.
	for _, rival := range s.table.rivals(key, newTags(have, want)) {
		s.queue.Add(rival)
	}
	if err == nil && len(want) == 0 {
		s.problems.clear(key)
	}
	if err == nil && object.Container != nil {
		if err := s.actor.act(ctx, key, object.Container.Status, before); err != nil {
			return &actError{err}
		}
	}
	return err
}

// actError reports a failed action on an object whose mirrors are up to date.
type actError struct{ error }

func (e *actError) Unwrap() error { return e.error }

// inspect inspects an object in the engine. Another worker replaces this one if that
// takes long.
func (s *syncer) inspect(ctx context.Context, key engine.Key) (object engine.Object, err error) {
	t := turnOf(ctx)
	if t == nil {
		return s.connection.engine.Inspect(ctx, key)
	}
	err = s.patience.call(ctx, t, true, func(ctx context.Context) error {
		object, err = s.connection.engine.Inspect(ctx, key)
		return err
	})
	return object, err
}

// removeAnnounced removes the mirrors of an object that the engine reported as removed
// in this connection. A later event for the same name queues the object again.
func (s *syncer) removeAnnounced(ctx context.Context, key engine.Key) error {
	s.forget(key)
	if err := s.write(ctx, key, s.table.of(key), nil); err != nil {
		return err
	}
	s.connection.removals.done(key, s.clock.Now())
	s.problems.clear(key)
	return nil
}

// forget forgets an object that the engine has removed.
func (s *syncer) forget(key engine.Key) {
	s.actor.forget(key)
	switch key.Kind {
	case engine.KindNamespace:
		s.namespaces.forget(key.ID)
	case engine.KindImage: // if the key is a reference, an image has lost it
		for _, loser := range s.table.rivals(key, []string{key.ID}) {
			s.queue.Add(loser)
		}
	}
}

// newTags returns the desired tags that no mirror has.
func newTags(have, want []client.Object) []string {
	var tags []string
	for _, w := range want {
		tag := tagOf(w)
		if tag != "" && !slices.ContainsFunc(have, func(h client.Object) bool { return tagOf(h) == tag }) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// write changes the mirrors of one engine object from have to want. It continues after
// a failure, and returns all failures.
func (s *syncer) write(ctx context.Context, key engine.Key, have, want []client.Object) error {
	var failures []error
	var refused refusals
	for _, w := range want {
		i := slices.IndexFunc(have, func(h client.Object) bool { return h.GetName() == w.GetName() })
		var known client.Object
		if i >= 0 {
			known = have[i]
		}
		setAge(w, known, s.clock.Now())
		var err error
		switch {
		case i < 0:
			err = s.create(ctx, w)
			refused.add(w, err)
		case have[i].GetDeletionTimestamp() != nil:
			err = s.actor.delete(ctx, key, have[i], w)
		default:
			err = s.update(ctx, have[i], w)
			refused.add(w, err)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("write the %s %s: %w", kindOf(w), w.GetName(), err))
		}
	}
	for _, h := range have {
		if !slices.ContainsFunc(want, func(w client.Object) bool { return h.GetName() == w.GetName() }) {
			if err := s.writer.remove(ctx, h); err != nil {
				refused.add(h, err)
				failures = append(failures, fmt.Errorf("remove the %s %s: %w", kindOf(h), h.GetName(), err))
			}
		}
	}
	refused.note(s.problems, key)
	return errors.Join(failures...)
}

// refusals are the failed writes of an object's mirrors.
type refusals struct {
	mirrors []string
	first   error
	forGood bool
}

func (r *refusals) add(m client.Object, err error) {
	// A conflict is not a failure: the retry reads the newer version.
	if err == nil || apierrors.IsConflict(err) || errors.Is(err, context.Canceled) {
		return
	}
	r.mirrors = append(r.mirrors, m.GetName())
	r.fail(fmt.Errorf("write %s %s: %w", kindOf(m), cmp.Or(titleOf(m), m.GetName()), err))
}

func (r *refusals) fail(err error) {
	if forGood := refusedForGood(err); r.first == nil || forGood && !r.forGood {
		r.first, r.forGood = err, forGood
	}
}

// note adds the problem: visible at once for writes that were refused for good, and
// after problemGrace for others.
func (r *refusals) note(p *problems, key engine.Key) {
	if r.first == nil {
		return
	}
	grace := problemGrace
	if r.forGood {
		grace = 0
	}
	p.note(key, r.mirrors, containersv1alpha1.ReasonWriteRefused, r.first, grace)
}

func (s *syncer) create(ctx context.Context, want client.Object) error {
	created := want.DeepCopyObject().(client.Object)
	err := s.writer.create(ctx, created)
	if apierrors.IsAlreadyExists(err) {
		return s.adopt(ctx, want)
	}
	if err != nil {
		return err
	}
	return s.update(ctx, created, want)
}

// adopt handles an object with the name of a mirror that is not in the table: a mirror
// of this engine that the watch has not delivered, or another client's object, which
// is not changed.
func (s *syncer) adopt(ctx context.Context, want client.Object) error {
	have := kinds[kindOf(want)].object()
	if err := s.reader.Get(ctx, client.ObjectKeyFromObject(want), have); err != nil {
		return err
	}
	if !s.owner.owns(have) {
		return errForeign
	}
	s.table.watched(have)
	if have.GetDeletionTimestamp() != nil {
		s.queue.Add(keyOf(have)) // the next sync handles its deletion
		return nil
	}
	return s.update(ctx, have, want)
}

func (s *syncer) update(ctx context.Context, have, want client.Object) error {
	have, err := s.mend(ctx, have, want)
	if err != nil {
		return err
	}
	updated := s.notices.inWrite(keyOf(have), have, s.actor.withRefusal(have, withStatus(have, want, s.clock.Now())))
	if updated == nil {
		return nil
	}
	if err := s.writer.status(ctx, updated); err != nil {
		return err
	}
	s.actor.wroteRefusal(updated)
	return nil
}

// mend restores the finalizer, the annotations and the engine's labels of a mirror: without the finalizer
// its deletion would not reach the engine, and the annotations identify its object. It
// returns the new version of the mirror.
func (s *syncer) mend(ctx context.Context, have, want client.Object) (client.Object, error) {
	labels, record, relabeled := relabel(have, engineLabels(want))
	if !relabeled && !damaged(have, want) {
		return have, nil
	}
	mended := have.DeepCopyObject().(client.Object)
	controllerutil.AddFinalizer(mended, containersv1alpha1.MirrorFinalizer)
	annotations := maps.Clone(mended.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	for _, name := range mirrorAnnotations() {
		delete(annotations, name)
	}
	maps.Copy(annotations, want.GetAnnotations())
	mended.SetAnnotations(annotations)
	setLabels(mended, labels, record)
	if err := s.writer.patch(ctx, have, mended); err != nil {
		return nil, err
	}
	return mended, nil
}

// release removes a mirror's finalizer and deletes the mirror without a call to the
// engine. A removed mirror is not an error. A mirror that was written since have is:
// it may have its finalizer again, so that its deletion would remove the engine
// object.
func release(ctx context.Context, c client.Client, have client.Object) error {
	stripped := have
	if controllerutil.ContainsFinalizer(have, containersv1alpha1.MirrorFinalizer) {
		stripped = have.DeepCopyObject().(client.Object)
		controllerutil.RemoveFinalizer(stripped, containersv1alpha1.MirrorFinalizer)
		patch := client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{})
		if err := c.Patch(ctx, stripped, patch); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	if have.GetDeletionTimestamp() != nil {
		return nil // the API server removed it, or it has other finalizers
	}
	return client.IgnoreNotFound(c.Delete(ctx, stripped, client.Preconditions{
		UID: ptr.To(have.GetUID()), ResourceVersion: ptr.To(stripped.GetResourceVersion()),
	}))
}
