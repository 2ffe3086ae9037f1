// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	few = 100

	// eventsOfALife are those that the engine tells of a life: create, connect,
	// start; kill, die, disconnect, stop; destroy.
	eventsOfALife = 8

	besideRounds = 9
	// besideLives is how many containers live in a round: the process' time is
	// counted in hundredths of a second.
	besideLives = 20
)

// beside measures what an event costs beside few, a thousand and many containers.
// The daemons stand side by side and take turns, so that what else the machine
// does hits all of them.
func beside(ctx context.Context, o options, r *report) error {
	counts, err := o.besides()
	if err != nil {
		return err
	}
	return withEngines(ctx, o, r, counts, func(benches []*bench) error {
		cpu := make([][]float64, len(counts))
		writes := make([][]float64, len(counts))
		seen := make([][]time.Duration, len(counts))
		for round := range besideRounds {
			for i, b := range benches {
				finish := b.daemon.profile(ctx, o.profile, fmt.Sprintf("beside-%d-%d", counts[i], round))
				l, err := b.live(ctx, fmt.Sprint("beside-", round), besideLives)
				if err := errors.Join(err, finish()); err != nil {
					return err
				}
				cpu[i] = append(cpu[i], l.cpu/eventsOfALife)
				writes[i] = append(writes[i], l.writes/eventsOfALife)
				seen[i] = slices.Concat(seen[i], l.created, l.started, l.removed)
			}
		}
		if err := sleep(ctx, settle+o.rest); err != nil { // they give memory back at rest
			return err
		}
		for i, n := range counts {
			fmt.Printf("an event beside %d: %.2f ms of CPU in the rounds\n", n, cpu[i])
			now, err := benches[i].daemon.usage(ctx)
			if err != nil {
				return err
			}
			r.Events = append(r.Events, eventCost{
				Beside: n, CPU: mean(cpu[i]), Writes: mean(writes[i]), Life: mean(writes[i]) * eventsOfALife,
				Memory: value(now.memory / megabyte), Seen: quantilesOf(seen[i]),
			})
		}
		return nil
	})
}

// besides returns beside how many containers the cost of an event is measured.
func (o options) besides() ([]int, error) {
	if o.beside == "" {
		counts := []int{few, 1000}
		if o.many > 0 {
			counts = append(counts, o.many)
		}
		return counts, nil
	}
	var counts []int
	for text := range strings.SplitSeq(o.beside, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("-beside: %w", err)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

func quantilesOf(samples []time.Duration) quantiles {
	in := func(p float64) value { return value(milliseconds(percentile(samples, p))) }
	return quantiles{P50: in(0.5), P95: in(0.95), P99: in(0.99)}
}

// withEngines starts a daemon for each number of containers, whose engine is
// mirrored, beside those that are up.
func withEngines(ctx context.Context, o options, r *report, counts []int, measure func([]*bench) error, up ...*bench) error {
	if len(counts) == 0 {
		return measure(up)
	}
	return withEngine(ctx, o, r, counts[0], func(b *bench) error {
		if err := b.connect(ctx, counts[0]+images+volumes); err != nil {
			return err
		}
		return withEngines(ctx, o, r, counts[1:], measure, append(up, b)...)
	})
}

// mean is what is compared, and not the median: a collection of garbage is rarer
// beside many containers and costs more.
func mean(samples []float64) value {
	sum := 0.0
	for _, sample := range samples {
		sum += sample
	}
	return value(sum / float64(len(samples)))
}
