// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"time"
)

const megabyte = 1e6

func size(_ context.Context, o options, r *report) error {
	info, err := os.Stat(o.program)
	if err != nil {
		return err
	}
	r.single("size of the program", "MB", float64(info.Size())/megabyte, 130, 100)
	return nil
}

// starts measures `rdd service start`, which ends when the instance is ready.
func starts(ctx context.Context, o options, r *report) error {
	var cold, warm, stop []time.Duration
	for range o.starts {
		d, err := newDaemon(o.program)
		if err != nil {
			return err
		}
		err = func() error {
			defer d.remove()
			for _, step := range []struct {
				command string
				into    *[]time.Duration
			}{{"start", &cold}, {"stop", &stop}, {"start", &warm}} {
				took, err := d.run(ctx, "service", step.command)
				if err != nil {
					return err
				}
				*step.into = append(*step.into, took)
			}
			return nil
		}()
		if err != nil {
			return err
		}
	}
	r.runs("cold start to ready", time.Second, cold, 1.5, 0.8)
	r.runs("warm start to ready", time.Second, warm, 1.0, 0.6)
	r.runs("stop", time.Second, stop, 0, 0)
	return nil
}

// commands measures what users type most, against a daemon that is up.
func commands(ctx context.Context, o options, r *report) error {
	d, err := startDaemon(ctx, o.program)
	if err != nil {
		return err
	}
	defer d.remove()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"rdd ctl get ns", []string{"ctl", "get", "ns"}},
		{"rdd status", []string{"status"}},
	} {
		var took []time.Duration
		for range o.calls {
			t, err := d.run(ctx, c.args...)
			if err != nil {
				return err
			}
			took = append(took, t)
		}
		r.runs(c.name, time.Second, took, 0.12, 0.08)
	}
	return nil
}

// settle is how long after its start a daemon counts as at rest.
const settle = 10 * time.Second

func atRest(ctx context.Context, o options, r *report) error {
	d, err := startDaemon(ctx, o.program)
	if err != nil {
		return err
	}
	defer d.remove()
	memory, cpu, err := d.rest(ctx, o.rest)
	if err != nil {
		return err
	}
	r.single("resident at rest", "MB", memory, 180, 130)
	r.single("CPU at rest", "% of a core", cpu, 0.6, 0.2)
	return nil
}

// rest returns what a daemon holds (in MB) and uses (in % of a core) that has
// nothing to do.
func (d *daemon) rest(ctx context.Context, long time.Duration) (memory, cpu float64, err error) {
	if err := sleep(ctx, settle); err != nil {
		return 0, 0, err
	}
	before, err := d.usage(ctx)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := sleep(ctx, long); err != nil {
		return 0, 0, err
	}
	after, err := d.usage(ctx)
	if err != nil {
		return 0, 0, err
	}
	return after.memory / megabyte, 100 * float64(after.cpu-before.cpu) / float64(time.Since(begin)), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
