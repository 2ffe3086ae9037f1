// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent is how much the heap may grow between collections during work: a burst
	// costs as much for collections as for writes. The memory is released after the
	// work.
	gcPercent = 100

	trimInterval = 5 * time.Second
	// A daemon that allocates less than quietBytes in an interval is idle. It has
	// garbage that is worth a collection if it has allocated more than dirtyBytes, and
	// more than a part of its heap, since it last released memory: a collection costs
	// as much as the heap is large.
	quietBytes = 2 << 20
	dirtyBytes = 16 << 20
	dirtyPart  = 4
)

// trimmer releases memory to the system when the daemon becomes idle: after the start,
// and after bursts.
type trimmer struct {
	samples [2]metrics.Sample // bytes allocated ever, and held at the last collection
	last    uint64            // allocated at the last interval
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
		_ = unmapProgram() // an error only leaves memory mapped
		t.trimmed = now
	}
	t.last = now
}
