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

// errUnverified says that what the engine answered can't be trusted, as it may
// be another engine by now.
var errUnverified = errors.New("the connection to the engine broke before the answer was verified")

// errForeign says that an object which is not ours has the name of a mirror.
var errForeign = errors.New("an object of that name exists and is not a mirror of this engine")

// sync makes the mirrors of one engine object equal to it. It reads the engine
// first and writes what differs; called again with nothing changed it writes
// nothing. A nil error means that the mirrors are equal.
func (s *syncer) sync(ctx context.Context, key engine.Key) error {
	if s.namespaces.isReleased(key) {
		return nil
	}
	if err := checkKey(key); err != nil {
		return err
	}
	seen, asked, told := s.connection.link.number(), s.table.of(key), s.connection.removals.has(key)
	if told && kinds[key.Kind].removedByEvent {
		return s.removeAnnounced(ctx, key)
	}
	object, err := s.inspect(ctx, key)
	if object.Affects != (engine.Key{}) {
		s.queue.Add(object.Affects)
	}
	switch {
	case errors.Is(err, engine.ErrNotFound):
		if err := s.connection.verifyGone(ctx, key, seen); err != nil {
			return err
		}
		s.forget(key)
		object = engine.Object{Key: key}
	case err != nil && kinds[key.Kind].removedByEvent && s.connection.removals.has(key):
		return s.removeAnnounced(ctx, key)
	case err != nil:
		s.connection.link.whileUp(func() { s.problems.suspect(key, containersv1alpha1.ReasonInspectFailed, err) })
		return fmt.Errorf("inspect %s %s: %w", key.Kind, key.ID, err)
	case object.Key != key: // an image that was asked for by reference
		s.connection.removals.take(object.Key) // it is there, perhaps again
		s.queue.Add(object.Key)
		return nil
	case told: // and made again since
		s.connection.removals.take(key)
	}
	namespace, err := s.namespaces.name(ctx, kinds[key.Kind].namespace(object))
	if err != nil {
		var refused refusals
		refused.fail(fmt.Errorf("write the ContainerNamespace that it is in: %w", err))
		refused.note(s.problems, key)
		return err
	}
	want, have := s.owner.mirrors(object, namespace), s.table.of(key)
	err = s.write(ctx, key, have, want)
	// Only of tags that are news: an engine may show one tag on two images.
	for _, rival := range s.table.rivals(key, newTags(have, want)) {
		s.queue.Add(rival)
	}
	if err == nil && len(want) == 0 {
		s.problems.clear(key)
	}
	if err == nil && object.Container != nil {
		if err := s.actor.act(ctx, key, object.Container.Status, asked); err != nil {
			return &actError{err}
		}
	}
	return err
}

// actError says that the mirrors of an object are equal to it, and that an action on it
// failed.
type actError struct{ error }

func (e *actError) Unwrap() error { return e.error }

// inspect asks the engine for an object. The worker that asks is replaced where
// that takes long.
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

// removeAnnounced removes the mirrors of an object of which the engine told, in
// this connection, that it removed it. An event that comes later of the same name
// queues it again.
func (s *syncer) removeAnnounced(ctx context.Context, key engine.Key) error {
	s.forget(key)
	if err := s.write(ctx, key, s.table.of(key), nil); err != nil {
		return err
	}
	s.connection.removals.done(key, s.clock.Now())
	s.problems.clear(key)
	return nil
}

// forget drops what was known of an object that left the engine.
func (s *syncer) forget(key engine.Key) {
	s.actor.forget(key)
	switch key.Kind {
	case engine.KindNamespace:
		s.namespaces.forget(key.ID)
	case engine.KindImage: // where it was a reference, an image has lost it
		for _, loser := range s.table.rivals(key, []string{key.ID}) {
			s.queue.Add(loser)
		}
	}
}

// newTags returns the tags of images that are wanted and not there yet.
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

// write makes the mirrors of one engine object, which are have, what they
// should be. It does all it can, and returns what failed.
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

// refusals are the writes of an object's mirrors that failed.
type refusals struct {
	mirrors []string
	first   error
	forGood bool
}

func (r *refusals) add(m client.Object, err error) {
	// A conflict is no failure: the retry reads the newer version.
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

// note says which writes were refused for good at once, and of others that they
// fail where they go on to.
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

// adopt deals with an object that has the name of a mirror and is not in the
// table: a mirror of ours that the watch has not brought yet, or another
// client's object, which stays as it is.
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
		s.queue.Add(keyOf(have)) // it is known now, and its deletion acts
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

// mend gives a mirror back what makes it one, if a client took it away: without
// the finalizer its deletion would not reach the engine, and without the
// annotations it would stand for something else. It returns the mirror as it is
// then.
func (s *syncer) mend(ctx context.Context, have, want client.Object) (client.Object, error) {
	if !damaged(have, want) {
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
	if err := s.writer.patch(ctx, have, mended); err != nil {
		return nil, err
	}
	return mended, nil
}

// release takes a mirror's finalizer away and deletes it: nothing is asked of
// the engine. A mirror that is gone is no error, and one that was written
// since is: it may have its finalizer again, with which a deletion acts.
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
		return nil // it went with its last finalizer, or waits for another's
	}
	return client.IgnoreNotFound(c.Delete(ctx, stripped, client.Preconditions{
		UID: ptr.To(have.GetUID()), ResourceVersion: ptr.To(stripped.GetResourceVersion()),
	}))
}
