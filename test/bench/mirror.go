// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

const (
	images  = 100
	volumes = 100
	burst   = 500

	bulkImage = "bench/bulk:latest"
	lifeImage = "bench/life:latest"
)

// bench is a daemon with an engine, and a watch of the mirrors.
type bench struct {
	options
	*report
	daemon *daemon
	engine *fakedocker.Server // nil for a containerd
	seen   *watcher
	keeper keeper
	// settings are the App's, for the engine.
	settings []string
}

// keeper has containers live in an engine: what it makes it names by its object.
type keeper interface {
	create(ctx context.Context, name string) (object string, err error)
	start(ctx context.Context, object string) error
	stop(ctx context.Context, object string) error
	remove(ctx context.Context, object string) error
}

// dockerKeeper is the keeper for an engine with Docker's API.
type dockerKeeper struct{ docker *client.Client }

func (k dockerKeeper) create(ctx context.Context, name string) (string, error) {
	response, err := k.docker.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: lifeImage}})
	return response.ID, err
}

func (k dockerKeeper) start(ctx context.Context, object string) error {
	_, err := k.docker.ContainerStart(ctx, object, client.ContainerStartOptions{})
	return err
}

func (k dockerKeeper) stop(ctx context.Context, object string) error {
	_, err := k.docker.ContainerStop(ctx, object, client.ContainerStopOptions{})
	return err
}

func (k dockerKeeper) remove(ctx context.Context, object string) error {
	_, err := k.docker.ContainerRemove(ctx, object, client.ContainerRemoveOptions{})
	return err
}

// withEngine measures a daemon that is up, and whose engine, with a number of
// containers, is not connected yet.
func withEngine(ctx context.Context, o options, r *report, containers int, measure func(*bench) error) error {
	d, err := newDaemon(o.program)
	if err != nil {
		return err
	}
	defer d.remove()
	engine := fakedocker.New(fakedocker.Config{})
	if err := engine.ListenUnix(filepath.Join(d.home, "d.sock")); err != nil {
		return err
	}
	defer engine.Close()
	engine.AddContainers(containers, fakedocker.ContainerOptions{Image: bulkImage, Running: true, Ports: 1})
	for i := range images - 2 {
		engine.AddImage(fmt.Sprintf("bench/i-%d:latest", i))
	}
	engine.AddImage(lifeImage)
	for i := range volumes {
		engine.AddVolume(fmt.Sprintf("v-%d", i))
	}
	docker, err := client.New(client.WithHost(engine.Endpoint()))
	if err != nil {
		return err
	}
	defer func() { _ = docker.Close() }()
	b := &bench{options: o, report: r, daemon: d, engine: engine, keeper: dockerKeeper{docker}, settings: []string{"containerEngine.endpoint=" + engine.Endpoint()}}
	return b.watched(ctx, measure)
}

// watched starts the daemon, and measures while the mirrors are watched.
func (b *bench) watched(ctx context.Context, measure func(*bench) error) error {
	if _, err := b.daemon.run(ctx, "service", "start"); err != nil {
		return err
	}
	var err error
	if b.seen, err = watchMirrors(ctx, b.daemon); err != nil {
		return err
	}
	defer b.seen.stop()
	return measure(b)
}

// thousand measures everything of an engine with 1,000 containers.
func thousand(ctx context.Context, o options, r *report) error {
	return withEngine(ctx, o, r, 0, func(b *bench) error {
		// An engine without containers first: single events, undisturbed.
		if err := b.connect(ctx, images+volumes); err != nil {
			return err
		}
		if err := b.lifeOf(ctx, ""); err != nil {
			return err
		}
		return withEngine(ctx, o, r, 1000, func(b *bench) error { return b.bulk(ctx, 1000) })
	})
}

func large(ctx context.Context, o options, r *report) error {
	if o.many == 0 {
		return nil
	}
	return withEngine(ctx, o, r, o.many, func(b *bench) error { return b.bulk(ctx, o.many) })
}

// connect names the engine's endpoint and waits until so many mirrors are seen.
func (b *bench) connect(ctx context.Context, mirrors int) error {
	if _, err := b.daemon.run(ctx, append([]string{"set", "--wait=false", "running=true"}, b.settings...)...); err != nil {
		return err
	}
	return b.seen.wait(ctx, mirrors)
}

// budget is what a figure may be at 1,000 containers; there is none at others.
func budget(n int, must, goal value) (value, value) {
	if n != 1000 {
		return 0, 0
	}
	return must, goal
}

// bulk measures the first sync, memory, a burst, and a single container on top.
func (b *bench) bulk(ctx context.Context, n int) error {
	mirrors := n + images + volumes
	what := fmt.Sprintf("%d containers, %d images, %d volumes", n, images, volumes)
	if err := b.full(ctx, what, n, mirrors); err != nil {
		return err
	}
	if n := b.seen.resumed.Load(); n > 0 {
		b.single("… watches that were ended and resumed", "", float64(n), 0, 0)
	}
	begin := time.Now()
	b.engine.AddContainers(burst, fakedocker.ContainerOptions{Image: bulkImage, NamePrefix: "burst-", Running: true})
	if err := b.seen.wait(ctx, mirrors+burst); err != nil {
		return err
	}
	must, goal := budget(n, 5, 2.5)
	b.single(fmt.Sprintf("burst of %d containers beside %d", burst, n), "s", time.Since(begin).Seconds(), must, goal)
	if err := b.seen.quiet(ctx); err != nil {
		return err
	}
	var created []time.Duration
	for i := range b.lives {
		_, took, err := b.create(ctx, fmt.Sprintf("one-%d", i))
		if err != nil {
			return err
		}
		created = append(created, took)
	}
	must = 10
	if n > 1000 {
		must = 12
	}
	b.times(fmt.Sprintf("one new container beside %d others", n+burst), time.Millisecond, created, must, 5)
	return nil
}

// full measures the first sync of n containers and what else there is, and a
// daemon at rest with the mirrors.
func (b *bench) full(ctx context.Context, what string, n, mirrors int) error {
	before, err := b.daemon.usage(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := b.connect(ctx, mirrors); err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := b.daemon.usage(ctx)
	if err != nil {
		return err
	}
	must, goal := budget(n, 8, 4)
	b.single("full sync of "+what, "s", took.Seconds(), must, goal)
	must, goal = budget(n, 12, 6)
	b.single("… CPU an object", "ms", milliseconds(after.cpu-before.cpu)/float64(mirrors), must, goal)

	memory, cpu, err := b.daemon.rest(ctx, b.rest)
	if err != nil {
		return err
	}
	must, goal = budget(n, 240, 180)
	b.single(fmt.Sprintf("resident with %d mirrors", mirrors), "MB", memory, must, goal)
	b.single("… CPU at rest", "% of a core", cpu, 0, 0)
	return nil
}

// create makes a container, and returns how long after the engine's answer its
// mirror was seen.
func (b *bench) create(ctx context.Context, name string) (string, time.Duration, error) {
	object, err := b.keeper.create(ctx, name)
	if err != nil {
		return "", 0, err
	}
	took, err := b.seen.until(ctx, time.Now(), object, containersv1alpha1.PhaseCreated)
	return object, took, err
}

// lives is what single containers cost from creation to removal, one after the
// other.
type lives struct {
	created, started, removed []time.Duration
	cpu                       float64 // ms of the daemon's for one life
	writes                    float64 // that a watch sees of one life
}

// live has n containers live.
func (b *bench) live(ctx context.Context, prefix string, n int) (*lives, error) {
	if err := b.seen.quiet(ctx); err != nil {
		return nil, err
	}
	before, err := b.daemon.usage(ctx)
	if err != nil {
		return nil, err
	}
	written := b.seen.events()
	l := &lives{}
	for i := range n {
		object, took, err := b.create(ctx, fmt.Sprintf("%s-%d", prefix, i))
		if err != nil {
			return nil, err
		}
		l.created = append(l.created, took)
		for _, step := range []struct {
			do   func(ctx context.Context, object string) error
			want containersv1alpha1.Phase
			into *[]time.Duration
		}{
			{b.keeper.start, containersv1alpha1.PhaseRunning, &l.started},
			{b.keeper.stop, containersv1alpha1.PhaseExited, new([]time.Duration)},
			{b.keeper.remove, gone, &l.removed},
		} {
			if err := step.do(ctx, object); err != nil {
				return nil, err
			}
			took, err := b.seen.until(ctx, time.Now(), object, step.want)
			if err != nil {
				return nil, err
			}
			*step.into = append(*step.into, took)
		}
	}
	after, err := b.daemon.usage(ctx)
	if err != nil {
		return nil, err
	}
	l.cpu = milliseconds(after.cpu-before.cpu) / float64(n)
	l.writes = float64(b.seen.events()-written) / float64(n)
	return l, nil
}

// lifeOf measures single containers where there are no others. engine begins
// the figures' names.
func (b *bench) lifeOf(ctx context.Context, engine string) error {
	l, err := b.live(ctx, "life", b.lives)
	if err != nil {
		return err
	}
	b.times(engine+"create: engine's answer to object seen", time.Millisecond, l.created, 8, 4)
	b.times(engine+"start: engine's answer to object seen", time.Millisecond, l.started, 8, 4)
	b.times(engine+"remove: engine's answer to object gone", time.Millisecond, l.removed, 10, 6)
	b.single(engine+"daemon CPU for one life", "ms", l.cpu, 30, 15)
	b.single(engine+"writes for one life", "events", l.writes, 6, 5)
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
