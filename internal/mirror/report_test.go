// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// reporter returns a session that has nothing to sync.
func reporter(changed func()) *Session {
	t := newTable()
	return &Session{
		clock: clock.RealClock{}, changed: changed, table: t, problems: newProblems(clock.RealClock{}, t.subject),
		connection: &connection{}, syncer: &syncer{},
	}
}

// TestShortProblemIsTakenBack: a problem that is written down for another reason,
// and ends before the next look at the problems, does not stay in the status.
func TestShortProblemIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int32
		s := reporter(func() { changes.Add(1) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.reportChanges(ctx)
		}()
		look := func() (reports int32) {
			before := changes.Load()
			time.Sleep(countDelay)
			synctest.Wait()
			return changes.Load() - before
		}
		s.Report()
		time.Sleep(countDelay / 2)
		look()
		s.Report()
		if n := look(); n != 0 {
			t.Errorf("reported %d times without a change", n)
		}

		s.problems.add(containerKey("web"), containersv1alpha1.ReasonWriteRefused, errors.New("denied"))
		if n := s.Report().Problems.Count; n != 1 { // as at the end of a comparison
			t.Errorf("%d problems are reported, want 1", n)
		}
		s.problems.clear(containerKey("web"))
		if n := look(); n != 1 {
			t.Errorf("reported the end of a reported problem %d times, want once", n)
		}
		if n := look(); n != 1 {
			t.Errorf("reported %d times what was not reported yet, want once more", n)
		}
		if n := s.Report().Problems.Count; n != 0 {
			t.Errorf("%d problems are reported, want 0", n)
		}
		if n := look(); n != 0 {
			t.Errorf("reported %d times without a change", n)
		}
		cancel()
		<-ended
	})
}

// stuckClient never answers a write of a status.
type stuckClient struct{ client.Client }

func (stuckClient) Status() client.SubResourceWriter { return stuckWriter{} }

type stuckWriter struct{ client.SubResourceWriter }

func (stuckWriter) Update(ctx context.Context, _ client.Object, _ ...client.SubResourceUpdateOption) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestStatusDoesNotWaitForMirrors: a problem is in the status of the
// ContainerEngine though it can't be written into the mirrors.
func TestStatusDoesNotWaitForMirrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var s *Session
		var problems atomic.Int32
		s = reporter(func() { problems.Store(int32(s.Report().Problems.Count)) })
		s.notices = &notices{problems: s.problems, table: s.table, clock: s.clock, events: &record.FakeRecorder{}, writer: &writer{client: stuckClient{}, table: s.table}}
		m := &containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{Name: "web", ResourceVersion: "1"}}
		s.table.watched(m)
		key := keyOf(m)
		if key.ID == "" { // of which no mirror tells
			t.Fatalf("the mirror is of %+v", key)
		}
		var running sync.WaitGroup
		running.Go(func() { s.reportChanges(ctx) })
		running.Go(func() { s.reportProblems(ctx) })
		s.problems.suspect(key, containersv1alpha1.ReasonInspectFailed, errors.New("first"))
		time.Sleep(problemGrace + 2*countDelay) // the mirror is being written
		synctest.Wait()
		if n := problems.Load(); n != 1 {
			t.Errorf("%d problems are reported, want 1", n)
		}
		s.problems.add(containerKey("other"), containersv1alpha1.ReasonWriteRefused, errors.New("second"))
		time.Sleep(2 * countDelay)
		synctest.Wait()
		if n := problems.Load(); n != 2 {
			t.Errorf("%d problems are reported, want 2", n)
		}
		cancel()
		running.Wait()
	})
}
