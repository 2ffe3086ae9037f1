// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// provedAfter is how long a connection must last after its first comparison to reset
// the back-off.
const provedAfter = 10 * time.Second

// reconnect is the back-off between attempts to connect.
var reconnect = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 100, Cap: 9 * time.Second} // ten at the most, with the jitter

// keepConnected connects, and reconnects when the connection breaks.
func (s *Session) keepConnected(ctx context.Context) {
	backoff := reconnect
	for ctx.Err() == nil {
		was := s.State().Reason
		err := s.connected(ctx, func() { backoff = reconnect })
		if ctx.Err() != nil {
			return
		}
		pause := backoff.Step()
		s.log.Info("not connected to the engine", "error", err, "retryIn", pause)
		s.setState(s.failure(err, was), fmt.Sprintf("%s; next try in %s", bounded.Error(err), pause.Round(100*time.Millisecond)))
		select {
		case <-ctx.Done():
		case <-s.secret.changed():
			backoff = reconnect
		case <-s.clock.After(pause):
		}
	}
}

// failure returns the reason of Ready for a connection that ended with err. A session
// that was connected before is Disconnected until it is connected again.
func (s *Session) failure(err error, was string) string {
	switch {
	case anotherEngine(err):
		return containersv1alpha1.ReasonEngineChanged
	case errors.Is(err, engine.ErrDenied):
		return containersv1alpha1.ReasonPermissionDenied
	case errors.Is(err, engine.ErrProtocol):
		return containersv1alpha1.ReasonWrongProtocol
	case s.connection.link.number() > 0 && was != containersv1alpha1.ReasonEngineChanged:
		return containersv1alpha1.ReasonDisconnected
	}
	return containersv1alpha1.ReasonConnectFailed
}

// connected opens one connection and uses it until it breaks, which is the error. ok
// is called after provedAfter.
func (s *Session) connected(ctx context.Context, ok func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer s.problems.clearAll(connectionReasons()...) // a list may have failed since the stream broke
	defer wg.Wait()
	defer s.syncer.lists.disconnect()
	defer cancel()

	if err := s.connection.identify(ctx); err != nil {
		return err
	}
	ready, broken := make(chan struct{}), make(chan error, 1)
	s.syncer.lists.connect(ctx, broken)
	since := s.connection.watchSince()
	wg.Go(func() {
		err := s.connection.engine.Watch(ctx, since, sync.OnceFunc(func() {
			s.connection.link.connect()
			s.syncer.namespaces.reset()
			close(ready)
		}), s.syncer.event)
		select {
		case broken <- err:
		default: // the reader has an error already
		}
		s.connection.link.disconnect()
		s.problems.clearAll(connectionReasons()...) // the condition Ready reports the broken connection
		s.connection.removals.clear()
		s.actor.deletions.clear()
	})
	select {
	case err := <-broken:
		return err
	case <-ready:
	}
	return s.serve(ctx, broken, ok)
}

// connectionReasons are the reasons of problems that end with the connection.
func connectionReasons() []string {
	return []string{containersv1alpha1.ReasonListFailed, containersv1alpha1.ReasonListSlow, containersv1alpha1.ReasonInspectFailed}
}

// serve makes the first comparison, reports it, and compares periodically.
func (s *Session) serve(ctx context.Context, broken <-chan error, ok func()) error {
	first := newBatch()
	first.first = true
	s.setStateIf(containersv1alpha1.ReasonConnecting, containersv1alpha1.ReasonConnecting, "connecting: listing the engine's objects")
	listed := s.syncer.compare(first)
	complete := false
	for waiting := true; waiting; {
		select {
		case complete = <-listed:
			listed = nil
		case <-first.finished(): // only after every kind was listed
			waiting = false
		case err := <-broken:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if listed != nil {
		complete = <-listed
	}
	s.compared(complete)
	return s.keepComparing(ctx, broken, ok)
}

func (s *Session) keepComparing(ctx context.Context, broken <-chan error, ok func()) error {
	ticker := s.clock.NewTicker(s.resync)
	defer ticker.Stop()
	proved := s.clock.After(provedAfter)
	var listed <-chan bool // of the comparison that is under way; nil for none
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-proved:
			ok()
		case <-s.secret.changed():
			if err := unless(ctx, broken, s.connection.identifyAgain); err != nil {
				return err
			}
		case <-ticker.C():
			if err := unless(ctx, broken, s.connection.identify); err != nil {
				return err
			}
			if listed == nil {
				listed = s.syncer.compare(newBatch())
			}
		case complete := <-listed:
			listed = nil
			s.compared(complete)
		}
	}
}

// unless calls the engine, and returns early if the connection breaks: an engine
// that does not answer must not hide that.
func unless(ctx context.Context, broken <-chan error, call func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var calling sync.WaitGroup
	defer calling.Wait()
	defer cancel()
	answer := make(chan error, 1)
	calling.Go(func() { answer <- call(ctx) })
	select {
	case err := <-answer:
		return err
	case err := <-broken:
		return err
	}
}

// compared records a comparison. A missing list is a problem of its own: events are
// mirrored, and the listed objects when the list arrives.
func (s *Session) compared(complete bool) {
	s.mu.Lock()
	if complete {
		s.state.Synced = s.clock.Now()
	}
	s.state.Reason, s.state.Message = containersv1alpha1.ReasonConnected, "connected"
	s.mu.Unlock()
	s.changed()
}
