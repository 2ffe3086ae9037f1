// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	// manyWait is the number of waiting objects from which Ready reports them.
	manyWait = 1000

	// countDelay is how long counts wait for more changes before they are reported.
	countDelay = time.Second
)

// reportChanges reports changed counts of mirrors and problems, at most once in each
// countDelay.
func (s *Session) reportChanges(ctx context.Context) {
	s.repeat(ctx, func() {
		s.connection.removals.sweep(s.clock.Now())
		s.reportProgress()
		if s.isUnreported() {
			s.changed()
		}
	})
}

// reportProblems reports problems on mirrors and by Events. Its writes may take long
// if the API server is busy; the status of the ContainerEngine does not wait for them.
func (s *Session) reportProblems(ctx context.Context) {
	s.repeat(ctx, func() { s.notices.report(ctx) })
}

// repeat calls do after each countDelay, until ctx ends.
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

// reportProgress reports the progress of the first comparison of a connection, or,
// after that, the number of waiting objects if there are many.
func (s *Session) reportProgress() {
	first := s.syncer.comparison()
	waiting := ""
	if n := s.syncer.queue.waiting(); n >= manyWait {
		waiting = "; " + thousands(n) + " changes are pending"
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
		switch reason {
		case containersv1alpha1.ReasonConnectFailed, containersv1alpha1.ReasonPermissionDenied, containersv1alpha1.ReasonWrongProtocol:
			reason = containersv1alpha1.ReasonConnecting
		}
		s.setStateIf(state.Reason, reason, "connecting: "+progress)
	}
}
