// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestShortProblemIsTakenBack: a problem that is written down for another reason,
// and ends before the next look at the problems, does not stay in the status.
func TestShortProblemIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		changes := 0
		s := &Session{table: newTable(), sessionConfig: sessionConfig{clock: clock.RealClock{}, changed: func() { changes++ }}}
		s.problems = newProblems(s.clock, s.subject)
		s.notices = &notices{problems: s.problems, table: s.table, clock: s.clock, events: &record.FakeRecorder{}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.tell(ctx)
		}()
		look := func() (told int) {
			before := changes
			time.Sleep(countDelay)
			synctest.Wait()
			return changes - before
		}
		s.Report()
		time.Sleep(countDelay / 2)
		look()
		s.Report()
		if n := look(); n != 0 {
			t.Errorf("told %d times of nothing", n)
		}

		s.problems.add(containerKey("web"), containersv1alpha1.ReasonWriteRefused, errors.New("denied"))
		if n := s.Report().Problems.Count; n != 1 { // as at the end of a comparison
			t.Errorf("%d problems are reported, want 1", n)
		}
		s.problems.clear(containerKey("web"))
		if n := look(); n != 1 {
			t.Errorf("told %d times of the end of a problem that was written down, want once", n)
		}
		if n := look(); n != 1 {
			t.Errorf("told %d times of what was not written down yet, want once more", n)
		}
		if n := s.Report().Problems.Count; n != 0 {
			t.Errorf("%d problems are reported, want 0", n)
		}
		if n := look(); n != 0 {
			t.Errorf("told %d times of nothing", n)
		}
		cancel()
		<-ended
	})
}
