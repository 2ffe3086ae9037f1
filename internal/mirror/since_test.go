// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"math"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestStreamBeginsWhereItEnded: the next event stream begins after the last event,
// on the engine's clock, whatever times the engine gives its events.
func TestStreamBeginsWhereItEnded(t *testing.T) {
	t.Parallel()
	const ahead = 3 * time.Hour // the engine's clock
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		events []time.Time
		turned time.Duration // what the engine's clock is turned by before the next connection
		want   time.Duration // after the beginning
	}{
		"none":                      {},
		"one":                       {events: []time.Time{begin.Add(time.Second)}, want: time.Second},
		"in no order":               {events: []time.Time{begin.Add(2 * time.Second), begin.Add(time.Second)}, want: 2 * time.Second},
		"year 9999":                 {events: []time.Time{begin.Add(time.Second), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}, want: time.Second},
		"the largest time":          {events: []time.Time{time.Unix(math.MaxInt64, 0), time.Unix(0, math.MaxInt64)}},
		"a day from now":            {events: []time.Time{begin.Add(24 * time.Hour)}},
		"before 1970":               {events: []time.Time{begin.Add(time.Second), time.Unix(-1, 0)}, want: time.Second},
		"none of them":              {events: []time.Time{{}, time.Unix(0, 0), time.Unix(math.MinInt64, 0)}},
		"the clock is turned back":  {events: []time.Time{begin.Add(50 * time.Second)}, turned: -time.Hour, want: 10*time.Second - time.Hour},
		"the clock is turned ahead": {events: []time.Time{begin.Add(time.Second)}, turned: time.Hour, want: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := clocktesting.NewFakeClock(begin.Add(-ahead))
			c := &connection{clock: fake, ahead: ahead}
			c.info = &engine.Info{Clock: begin}
			if since := c.watchSince(); !since.Equal(begin) {
				t.Errorf("the first stream begins %s, want %s", since, begin)
			}
			fake.Step(10 * time.Second)
			for _, at := range test.events {
				c.noteTime(at)
			}
			c.info = &engine.Info{Clock: begin.Add(10*time.Second + test.turned)}
			if got := c.watchSince().Sub(begin); got != test.want {
				t.Errorf("the next stream begins %s after the first, want %s", got, test.want)
			}
		})
	}
}
