// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent is how much the heap may grow between collections while there
	// is work: a burst's cost is collections as much as writes. What it takes is
	// given back when the work is done.
	gcPercent = 100

	trimInterval = 5 * time.Second
	// A daemon that allocates less than quietBytes in an interval is at rest; one
	// that has allocated more than dirtyBytes since it last gave memory back, and
	// more than a part of what it holds, has garbage that is worth a collection:
	// that costs as much as is held, however little is garbage.
	quietBytes = 2 << 20
	dirtyBytes = 16 << 20
	dirtyPart  = 4
)

// trimmer gives memory back to the system whenever the daemon has come to rest:
// when it has started, and after bursts.
type trimmer struct {
	samples [2]metrics.Sample // bytes allocated ever, and held at the last collection
	last    uint64            // allocated at the interval before
	trimmed uint64            // allocated at the last trim
}

func runTrimmer(ctx context.Context) error {
	debug.SetGCPercent(gcPercent)
	var t trimmer
	t.samples[0].Name, t.samples[1].Name = "/gc/heap/allocs:bytes", "/gc/heap/live:bytes"
	ticker := time.NewTicker(trimInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.look()
		}
	}
}

func (t *trimmer) look() {
	metrics.Read(t.samples[:])
	now, held := t.samples[0].Value.Uint64(), t.samples[1].Value.Uint64()
	if now-t.last < quietBytes && now-t.trimmed > max(dirtyBytes, held/dirtyPart) {
		debug.FreeOSMemory()
		_ = unmapProgram() // nothing is lost but figures
		t.trimmed = now
	}
	t.last = now
}
