// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sync/errgroup"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

const (
	// containerdName is that of the App's ContainerEngine.
	containerdName = "containerd"
	// containerdLives is fewer than of a simulated engine: this one takes its time.
	containerdLives = 30
	// containerdMany is how many containers stand there before the first sync, and
	// makers how many are made at a time.
	containerdMany = 1000
	makers         = 8
)

// containerdKeeper is the keeper for a containerd.
type containerdKeeper struct {
	hands *containerd.Hands
	ids   map[string]string // by object
}

func (k *containerdKeeper) create(ctx context.Context, name string) (string, error) {
	object := containersv1alpha1.NamespacedContainerName(containerdName, containerd.Namespace, name)
	k.ids[object] = name
	return object, k.hands.Create(ctx, name, containerd.Image, []string{"sleep", "10000"}, nil)
}

func (k *containerdKeeper) start(ctx context.Context, object string) error {
	return k.hands.Start(ctx, k.ids[object])
}

func (k *containerdKeeper) stop(ctx context.Context, object string) error {
	return k.hands.Kill(ctx, k.ids[object])
}

func (k *containerdKeeper) remove(ctx context.Context, object string) error {
	return k.hands.Remove(ctx, k.ids[object])
}

// withContainerd measures a daemon with Debian's containerd: single containers
// first, and then the sync of many. It is left out where none can run.
func withContainerd(ctx context.Context, o options, r *report) error {
	if path, _ := exec.LookPath("containerd"); path == "" || os.Geteuid() != 0 {
		fmt.Println("containerd is left out: it is not installed, or bench is not run as root")
		return nil
	}
	o.lives = min(o.lives, containerdLives)
	return startContainerd(ctx, func(engine *containerd.Engine) error {
		d, err := newDaemon(o.program)
		if err != nil {
			return err
		}
		defer d.remove()
		b := &bench{options: o, report: r, daemon: d, keeper: &containerdKeeper{engine.Hands(), map[string]string{}},
			settings: []string{"containerEngine.name=containerd", "containerEngine.endpoint=" + engine.Endpoint()}}
		return b.watched(ctx, func(b *bench) error {
			if err := b.connect(ctx, 1); err != nil { // the image
				return err
			}
			if err := b.seen.quiet(ctx); err != nil {
				return err
			}
			finish := d.profile(ctx, o.profile, "containerd")
			if err := errors.Join(b.lifeOf(ctx, "containerd: "), finish()); err != nil {
				return err
			}
			if _, err := d.run(ctx, "stop"); err != nil {
				return err
			}
			if err := fill(ctx, engine); err != nil {
				return err
			}
			return b.full(ctx, fmt.Sprintf("%d containers of containerd, 1 image", containerdMany), containerdMany, containerdMany+1)
		})
	})
}

// fill makes many containers, each with a snapshot of its own.
func fill(ctx context.Context, engine *containerd.Engine) error {
	hands := engine.Hands()
	making, ctx := errgroup.WithContext(ctx)
	making.SetLimit(makers)
	for i := range containerdMany {
		making.Go(func() error {
			return hands.Create(ctx, fmt.Sprint("many-", i), containerd.Image, []string{"true"}, nil)
		})
	}
	return making.Wait()
}

// startContainerd runs a containerd for as long as measure takes.
func startContainerd(ctx context.Context, measure func(*containerd.Engine) error) (err error) {
	run := &runner{ctx: context.WithoutCancel(ctx)}
	defer func() {
		if reason := recover(); reason != nil {
			failed, ok := reason.(failure)
			if !ok {
				panic(reason)
			}
			err = failed
		}
		err = errors.Join(append([]error{err}, run.end()...)...)
	}()
	return measure(containerd.Start(run, containerd.Debian))
}

// runner is a [containerd.TB] that is no test.
type runner struct {
	ctx context.Context

	mu       sync.Mutex
	cleanups []func() // guarded by mu
	errs     []error  // guarded by mu
}

// failure is what a runner panics with.
type failure string

func (f failure) Error() string { return string(f) }

func (r *runner) Helper()                           {}
func (r *runner) Context() context.Context          { return r.ctx }
func (r *runner) Fatal(args ...any)                 { panic(failure(fmt.Sprint(args...))) }
func (r *runner) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

func (r *runner) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

func (r *runner) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// end cleans up, and returns what went wrong.
func (r *runner) end() []error {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return r.errs
}
