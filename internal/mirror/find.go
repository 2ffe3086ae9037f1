// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror/pull"
)

// running returns the sessions.
func (r *reconciler) running() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sessions []*Session
	for _, run := range r.sessions {
		if run.session != nil {
			sessions = append(sessions, run.session)
		}
	}
	return sessions
}

func (s *Session) connectedNow() bool {
	return s.State().Reason == containersv1alpha1.ReasonConnected
}

// puller is a [pull.Find].
func (r *reconciler) puller(namespace, containerNamespace string) (pull.Target, bool) {
	for _, s := range r.running() {
		if s.owner.namespace != namespace || !s.connectedNow() {
			continue
		}
		if inEngine, ok := s.syncer.namespaces.of(containerNamespace); ok {
			return pull.Target{Engine: s.connection.engine, Namespace: inEngine, Connected: s.alive, Mirrored: s.mirrored}, true
		}
	}
	return pull.Target{}, false
}

// mirrored reports whether an engine object has mirrors, and queues it if it has
// none.
func (s *Session) mirrored(key engine.Key) bool {
	if len(s.table.of(key)) > 0 {
		return true
	}
	s.syncer.queue.Add(key)
	return false
}

// container is a [streams.Find]. name is the name of the Container, or the container's
// ID if only one container has it. The mirror may not exist yet.
func (r *reconciler) container(ctx context.Context, name string) (engine.Engine, engine.Key, error) {
	began := r.clock.Now()
	for {
		found, key, err := r.findContainer(ctx, name)
		if err == nil || r.clock.Since(began) >= connectPatience || !r.isConnecting(ctx) {
			return found, key, err
		}
		select {
		case <-ctx.Done():
			return nil, key, ctx.Err()
		case <-r.clock.After(connectPoll):
		}
	}
}

const (
	// connectPatience is how long a request for a container waits for engines that
	// are connecting, for example after the daemon's start; connectPoll is how often
	// it checks.
	connectPatience = 10 * time.Second
	connectPoll     = 200 * time.Millisecond
)

// isConnecting reports whether an engine is about to be connected for the first time.
func (r *reconciler) isConnecting(ctx context.Context) bool {
	var all containersv1alpha1.ContainerEngineList
	if err := r.client.List(ctx, &all); err != nil {
		return false // a cache that has synced never fails
	}
	for i := range all.Items {
		e := &all.Items[i]
		ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
		if ready != nil && ready.Reason == containersv1alpha1.ReasonConflict {
			continue // it has no session, and gets none while the other one exists
		}
		if e.ShouldRun() && r.isBeginning(e.UID) {
			return true
		}
	}
	return false
}

// isBeginning reports whether a session has not started, or connects for the first
// time.
func (r *reconciler) isBeginning(uid types.UID) bool {
	r.mu.Lock()
	run := r.sessions[uid]
	var session *Session
	failed := false
	if run != nil {
		session, failed = run.session, run.failure != nil
	}
	r.mu.Unlock()
	return !failed && (session == nil || session.State().Reason == containersv1alpha1.ReasonConnecting)
}

func (r *reconciler) findContainer(ctx context.Context, name string) (engine.Engine, engine.Key, error) {
	sessions := r.running()
	key := engine.Key{Kind: engine.KindContainer, ID: name}
	if s, known, err := mirroredContainer(sessions, name); s != nil || err != nil {
		if err == nil && !s.connectedNow() {
			err = fmt.Errorf("container %q: ContainerEngine %s is not connected", name, s.owner)
		}
		if err != nil {
			return nil, key, err
		}
		return s.connection.engine, known, nil
	}
	var failures []error
	for _, s := range sessions {
		if !s.connectedNow() {
			continue
		}
		object, err := s.connection.engine.Inspect(ctx, key)
		if err == nil {
			return s.connection.engine, object.Key, nil
		}
		if !errors.Is(err, engine.ErrNotFound) {
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 {
		return nil, key, errors.Join(failures...)
	}
	return nil, key, fmt.Errorf("container %q: %w", name, engine.ErrNotFound)
}

// mirroredContainer returns the session and the key of the container with a mirror of
// that name or, if there is none, with that ID; nil for none. Two engines may have the
// same container, but in one engine the ID must be unique.
func mirroredContainer(sessions []*Session, name string) (*Session, engine.Key, error) {
	for _, s := range sessions {
		if key, ok := s.table.named(name); ok {
			return s, key, nil
		}
	}
	for _, s := range sessions {
		switch keys := s.table.containers(name); len(keys) {
		case 0:
		case 1:
			return s, keys[0], nil
		default:
			return nil, engine.Key{}, fmt.Errorf("%w: %d containers have the ID %q: use the name of a Container object", engine.ErrRefused, len(keys), name)
		}
	}
	return nil, engine.Key{}, nil
}
