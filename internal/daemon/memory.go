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
	// that has allocated more than dirtyBytes since it last gave memory back has
	// garbage that is worth a collection.
	quietBytes = 2 << 20
	dirtyBytes = 16 << 20
)

// trimmer gives memory back to the system whenever the daemon has come to rest:
// when it has started, and after bursts.
type trimmer struct {
	allocated [1]metrics.Sample // bytes, ever
	last      uint64            // at the interval before
	trimmed   uint64            // at the last trim
}

func runTrimmer(ctx context.Context) error {
	debug.SetGCPercent(gcPercent)
	var t trimmer
	t.allocated[0].Name = "/gc/heap/allocs:bytes"
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
	metrics.Read(t.allocated[:])
	now := t.allocated[0].Value.Uint64()
	if now-t.last < quietBytes && now-t.trimmed > dirtyBytes {
		debug.FreeOSMemory()
		t.trimmed = now
	}
	t.last = now
}
