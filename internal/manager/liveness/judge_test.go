// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// leaseOf returns a Lease of 15 s that was renewed at a time.
func leaseOf(version, holder string, renewed time.Time) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{UID: "lease", ResourceVersion: version}}
	lease.Spec.LeaseDurationSeconds = ptr.To[int32](15)
	if holder != "" {
		lease.Spec.HolderIdentity, lease.Spec.RenewTime = &holder, &metav1.MicroTime{Time: renewed}
	}
	return lease
}

// TestObservation: a controller is gone once its Lease was observed unchanged for its
// duration and the grace, regardless of the holder's clock.
func TestObservation(t *testing.T) {
	renewed := start.Add(-time.Hour) // on another clock
	held := leaseOf("1", "other", renewed)
	type step struct {
		after time.Duration
		lease *coordinationv1.Lease
		gone  bool
		again time.Duration // from the start; 0 for never
	}
	for name, steps := range map[string][]step{
		"expires":    {{0, held, false, 15 * time.Second}, {15 * time.Second, held, false, 18 * time.Second}, {18 * time.Second, held, true, 0}},
		"is renewed": {{0, held, false, 15 * time.Second}, {15 * time.Second, held, false, 18 * time.Second}, {16 * time.Second, leaseOf("2", "other", renewed), false, 31 * time.Second}},
		"machine was asleep": {{0, held, false, 15 * time.Second}, {time.Hour, held, false, time.Hour + 3*time.Second},
			{time.Hour + time.Second, leaseOf("2", "other", renewed), false, time.Hour + 16*time.Second}},
		"is released":  {{0, leaseOf("1", "", renewed), false, 3 * time.Second}, {3 * time.Second, leaseOf("1", "", renewed), true, 0}},
		"is not there": {{0, nil, false, 3 * time.Second}, {3 * time.Second, nil, true, 0}, {4 * time.Second, held, false, 19 * time.Second}},
		"embedded":     {{0, leaseOf("1", manager.EmbeddedKey, renewed), false, 0}, {24 * time.Hour, leaseOf("1", manager.EmbeddedKey, renewed), false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var o observation
			for i, s := range steps {
				gone, again := o.judge(s.lease, start.Add(s.after))
				var in time.Duration
				if !again.IsZero() {
					in = again.Sub(start)
				}
				if gone != s.gone || in != s.again {
					t.Errorf("step %d: gone %t, again after %s; want %t, %s", i, gone, in, s.gone, s.again)
				}
			}
		})
	}
}

// TestFinderJudges: a program that runs once.
func TestFinderJudges(t *testing.T) {
	ready := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Connected"}}
	marked := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionUnknown, Reason: containersv1alpha1.ReasonControllerGone}}
	for name, test := range map[string]struct {
		lease      *coordinationv1.Lease
		conditions []metav1.Condition
		gone, sure bool
	}{
		"never ran":                    {nil, nil, false, true},
		"no lease":                     {nil, ready, true, true},
		"released":                     {leaseOf("1", "", start), ready, true, true},
		"released, and no conditions":  {leaseOf("1", "", start), nil, true, true},
		"renewed":                      {leaseOf("1", "other", start.Add(-10*time.Second)), ready, false, true},
		"renewed, and not written yet": {leaseOf("1", "other", start.Add(-10*time.Second)), marked, false, true},
		"old":                          {leaseOf("1", "other", start.Add(-time.Minute)), ready, true, false},
		"old and marked":               {leaseOf("1", "other", start.Add(-time.Minute)), marked, true, true},
		"a clock that was set back":    {leaseOf("1", "other", start.Add(time.Hour)), ready, true, false},
		"embedded, a clock set ahead":  {leaseOf("1", manager.EmbeddedKey, start.Add(-48*time.Hour)), ready, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			gone, sure := Finder{Clock: testclock.NewFakeClock(start)}.judge(test.lease, test.conditions)
			if gone != test.gone || sure != test.sure {
				t.Errorf("gone %t, sure %t; want %t, %t", gone, sure, test.gone, test.sure)
			}
		})
	}
}
