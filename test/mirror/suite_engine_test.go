// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
)

// suiteStatus compares the status of the ContainerEngine. The API's version is the
// newest that the engine and the client know both.
func suiteStatus(d *driver) {
	ping, err := d.docker.Ping(d.t.Context(), client.PingOptions{})
	d.must(err)
	result, err := d.docker.Info(d.t.Context(), client.InfoOptions{})
	d.must(err)
	want := ping.APIVersion
	if minor(d, client.MaxAPIVersion) < minor(d, want) {
		want = client.MaxAPIVersion
	}
	status := d.getEngine("moby").Status
	if status.APIVersion != want || status.Version != result.Info.ServerVersion || status.OS != "linux" || status.EngineID == "" {
		d.t.Errorf("the engine's status is %+v; want API version %s, version %s", status, want, result.Info.ServerVersion)
	}
}

// suiteNotFound: what is not there is said to be not there, in the words of
// each engine, and nothing else is.
func suiteNotFound(d *driver) {
	connection, err := open.Drivers().Open(d.getEngine("moby").Spec, nil)
	d.must(err)
	defer func() { _ = connection.Close() }()
	ctx, none := d.t.Context(), strings.Repeat("0", 64)
	of := func(kind engine.Kind, id string) engine.Key {
		key := engine.Key{Kind: kind, ID: id}
		if !d.has.api {
			key.Namespace = d.inEngine
		}
		return key
	}
	for _, key := range []engine.Key{
		of(engine.KindContainer, none), of(engine.KindImage, "sha256:"+none), of(engine.KindImage, "none:1"), of(engine.KindVolume, "none"),
		of(engine.KindNetwork, none),
	} {
		if _, err := connection.Inspect(ctx, key); !errors.Is(err, engine.ErrNotFound) {
			d.t.Errorf("inspect the %s %s: %v", key.Kind, key.ID, err)
		}
		if err := connection.Remove(ctx, key, engine.RemoveOptions{}); !errors.Is(err, engine.ErrNotFound) {
			d.t.Errorf("remove the %s %s: %v", key.Kind, key.ID, err)
		}
	}
	if err := connection.Act(ctx, of(engine.KindContainer, none), containersv1alpha1.ActionStart); !errors.Is(err, engine.ErrNotFound) {
		d.t.Errorf("start a container that is not there: %v", err)
	}
}

func minor(d *driver, version string) int {
	d.t.Helper()
	var number int
	if _, err := fmt.Sscanf(version, "1.%d", &number); err != nil {
		d.t.Fatalf("API version %q: %v", version, err)
	}
	return number
}

// suiteComparisons: of an engine where nothing happens, a list differs in
// nothing from what an inspection showed, so that a comparison costs nothing more
// than the lists.
func suiteComparisons(d *driver) {
	created := d.createContainer("created", container.Config{Labels: map[string]string{"a": "b"}}, container.HostConfig{})
	runs := d.run("running", container.Config{}, container.HostConfig{})
	paused := d.run("paused", container.Config{}, container.HostConfig{})
	exited := d.run("exited", container.Config{}, container.HostConfig{})
	d.step(func(ctx context.Context) error { return d.hands.Pause(ctx, paused) })
	d.step(func(ctx context.Context) error { return d.hands.Kill(ctx, exited) })
	for _, name := range []string{"compared:1", "registry.example.com:5000/compared:2"} {
		d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, busyboxImage, name) })
	}
	kinds := slices.Clone(engine.Kinds)
	if d.has.api {
		d.step(func(ctx context.Context) error {
			_, err := d.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "compared", Labels: map[string]string{"a": "b"}})
			return err
		})
	} else {
		kinds = slices.DeleteFunc(kinds, func(kind engine.Kind) bool { return kind == engine.KindVolume || kind == engine.KindNetwork })
	}
	d.compareLists(kinds...)
	for _, id := range []string{created, runs, paused, exited} {
		d.removeContainer(id)
	}
	for _, name := range []string{"compared:1", "registry.example.com:5000/compared:2"} {
		d.step(func(ctx context.Context) error { return d.hands.Untag(ctx, name) })
	}
	if d.has.api {
		d.step(func(ctx context.Context) error {
			_, err := d.docker.VolumeRemove(ctx, "compared", client.VolumeRemoveOptions{})
			return err
		})
	}
}

// compareLists compares lists with inspections, as a connection does.
func (d *driver) compareLists(kinds ...engine.Kind) {
	d.t.Helper()
	connection, err := open.Drivers().Open(d.getEngine("moby").Spec, nil)
	d.must(err)
	defer func() { _ = connection.Close() }()
	for _, kind := range kinds {
		info, err := connection.Info(d.t.Context()) // the clock of each list
		d.must(err)
		items, err := connection.List(d.t.Context(), kind)
		d.must(err)
		if len(items) == 0 {
			d.t.Errorf("there is no %s to compare", kind)
		}
		for _, item := range items {
			object, err := connection.Inspect(d.t.Context(), item.Key)
			d.must(err)
			if !item.Current(object, info.Clock) {
				d.t.Errorf("a list of the %ss shows something else than an inspection: %s, %+v %+v %+v %+v", kind, item.Key.ID, object.Container, object.Images, object.Volume, object.Network)
			}
		}
	}
}

// suiteKilledInTheMiddle kills the engine while containers come and go.
func suiteKilledInTheMiddle(d *driver) {
	const some = 6
	created := make(chan string, 1000) // more than there will be
	var burst sync.WaitGroup
	burst.Go(func() {
		defer close(created)
		for n := range cap(created) {
			id, err := d.hands.Create(d.t.Context(), fmt.Sprintf("burst-%d", n), container.Config{Image: busyboxImage, Cmd: []string{"true"}}, container.HostConfig{})
			if err != nil {
				return // it is dead
			}
			created <- id
			if n%3 == 0 {
				_ = d.hands.Remove(d.t.Context(), id)
			}
		}
	})
	for range some {
		<-created
	}
	ce := d.getEngine("moby")
	d.engine.Restart(func() {
		burst.Wait()
		d.waitReason(ce, "Disconnected")
	})
	d.waitReason(ce, "Connected")
	d.equal("moby")
	list, err := d.hands.Containers(d.t.Context())
	d.must(err)
	if len(list) < some/2 {
		d.t.Errorf("the engine has %d containers after the burst", len(list))
	}
	for _, id := range list {
		d.removeContainer(id)
	}
}
