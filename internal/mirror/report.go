// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	// manyWait is how many objects have to wait for that to be worth a word.
	manyWait = 1000

	// countDelay is how long counts wait for more changes before they are reported.
	countDelay = time.Second
)

// tell tells of changed numbers of mirrors and of problems, a while after they
// changed: it must cost nothing for each single one.
func (s *Session) tell(ctx context.Context) {
	s.repeat(ctx, func() {
		s.connection.removals.sweep(s.clock.Now())
		s.tellProgress()
		if s.isUnreported() {
			s.changed()
		}
	})
}

// tellMirrors likewise has the mirrors and Events tell of problems. It writes, which
// may take long where the API server is busy: what the ContainerEngine says does
// not wait for that.
func (s *Session) tellMirrors(ctx context.Context) {
	s.repeat(ctx, func() { s.notices.tell(ctx) })
}

// repeat does something after each countDelay, until ctx ends.
func (s *Session) repeat(ctx context.Context, do func()) {
	ticker := s.clock.NewTicker(countDelay)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			do()
		}
	}
}

// tellProgress says how far the first comparison of a connection is, or, later,
// how much there is to be done where that is much.
func (s *Session) tellProgress() {
	first := s.syncer.comparison()
	waiting := ""
	if n := s.syncer.queue.waiting(); n >= manyWait {
		waiting = "; " + thousands(n) + " changes are on their way"
	}
	switch state := s.State(); {
	case state.Reason == containersv1alpha1.ReasonConnected:
		s.setStateIf(containersv1alpha1.ReasonConnected, state.Reason, "connected"+waiting)
	case first == nil || !first.first || !s.connection.link.up():
	default:
		progress := first.progress()
		if progress == "" {
			return
		}
		reason := state.Reason
		if reason == containersv1alpha1.ReasonConnectFailed || reason == containersv1alpha1.ReasonWrongProtocol {
			reason = containersv1alpha1.ReasonConnecting
		}
		s.setStateIf(state.Reason, reason, "connecting: "+progress)
	}
}
