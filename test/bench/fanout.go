// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	crowd        = 100
	fanoutRounds = 5
	fanoutLives  = 20
)

// fanout measures what a life costs, and how long after the engine's answer the
// last watcher of the Containers has seen it, with one watcher and with many.
// They take turns.
func fanout(ctx context.Context, o options, r *report) error {
	return withEngine(ctx, o, r, 0, func(b *bench) error {
		if err := b.connect(ctx, images+volumes); err != nil {
			return err
		}
		sizes := []int{1, crowd}
		cpu := make([][]float64, len(sizes))
		last := make([][]time.Duration, len(sizes))
		for round := range fanoutRounds {
			for i, n := range sizes {
				l, err := b.crowded(ctx, fmt.Sprintf("fan-%d-%d", n, round), n)
				if err != nil {
					return err
				}
				cpu[i] = append(cpu[i], l.cpu)
				last[i] = append(last[i], l.last...)
			}
		}
		for i, n := range sizes {
			b.single(fmt.Sprintf("daemon CPU for one life, %d watching", n), "ms", float64(mean(cpu[i])), 0, 0)
			b.times(fmt.Sprintf("engine's answer to seen by the last of %d", n), time.Millisecond, last[i], 0, 0)
		}
		return nil
	})
}

// crowdedLives is what lives cost that n watch.
type crowdedLives struct {
	cpu  float64 // ms of the daemon's for one life
	last []time.Duration
}

// crowded has containers live while n programs, each with a connection of its own,
// watch the Containers; the watcher of the bench itself is one of them.
func (b *bench) crowded(ctx context.Context, prefix string, n int) (*crowdedLives, error) {
	c, err := gather(ctx, b.daemon, n-1)
	if err != nil {
		return nil, err
	}
	defer c.disperse()
	if err := b.seen.quiet(ctx); err != nil {
		return nil, err
	}
	before, err := b.daemon.usage(ctx)
	if err != nil {
		return nil, err
	}
	l := &crowdedLives{}
	for i := range fanoutLives {
		object, err := b.keeper.create(ctx, fmt.Sprintf("%s-%d", prefix, i))
		if err != nil {
			return nil, err
		}
		for _, step := range []struct {
			do   func(ctx context.Context, object string) error
			want containersv1alpha1.Phase
		}{
			{nil, containersv1alpha1.PhaseCreated},
			{b.keeper.start, containersv1alpha1.PhaseRunning},
			{b.keeper.stop, containersv1alpha1.PhaseExited},
			{b.keeper.remove, gone},
		} {
			if step.do != nil {
				if err := step.do(ctx, object); err != nil {
					return nil, err
				}
			}
			begin := time.Now()
			took, err := b.seen.until(ctx, begin, object, step.want)
			if err != nil {
				return nil, err
			}
			at, err := c.last(ctx, sighting{object, step.want})
			if err != nil {
				return nil, err
			}
			l.last = append(l.last, max(took, at.Sub(begin)))
		}
	}
	after, err := b.daemon.usage(ctx)
	if err != nil {
		return nil, err
	}
	l.cpu = milliseconds(after.cpu-before.cpu) / fanoutLives
	return l, nil
}
