// SPDX-License-Identifier: Apache-2.0

// Package hostile_test has engines' clients meet hostile engines.
package hostile_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/hostile"
)

const busybox = "busybox:latest"

// TestMoby has each call of Docker's API answered in each way that it should not
// be: each fails or makes the best of it, in time, without taking all memory, and
// never takes what it can't read for an empty list or a missing object.
func TestMoby(t *testing.T) {
	t.Parallel()
	upstream, id := goodDocker(t)
	for _, op := range mobyOperations(id) {
		for _, surface := range op.surfaces {
			t.Run(op.name+"/"+name(surface), func(t *testing.T) {
				t.Parallel()
				for _, answer := range hostile.DockerAnswers() {
					t.Run(answer.Name, func(t *testing.T) {
						proxy := hostile.Start(t, upstream, false)
						e, err := moby.New(moby.Config{Endpoint: proxy.Endpoint()})
						if err != nil {
							t.Fatal(err)
						}
						defer func() { _ = e.Close() }()
						attack(t, proxy, e, op, surface, answer)
					})
				}
			})
		}
	}
}

// name is a surface for the name of a test.
func name(surface string) string {
	return string(slices.DeleteFunc([]byte(surface), func(b byte) bool { return b == '{' || b == '}' || b == '/' || b == ' ' }))
}

// goodDocker is a simulated engine with a container, an image and a volume.
func goodDocker(t *testing.T) (upstream http.Handler, container string) {
	t.Helper()
	server := fakedocker.Run(t, fakedocker.Config{})
	server.AddImage(busybox)
	docker, err := client.New(client.WithHost(server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = docker.Close() }()
	if _, err := docker.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: "data"}); err != nil {
		t.Fatal(err)
	}
	return hostile.Complete(hostile.Pass(t, server.Endpoint(), false)), create(t, docker, "first")
}

func create(t *testing.T, docker *client.Client, name string) (id string) {
	t.Helper()
	created, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: busybox, Cmd: []string{"sleep", "inf"}, Labels: map[string]string{"a": "b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return created.ID
}

func mobyOperations(id string) []operation {
	containerKey := engine.Key{Kind: engine.KindContainer, ID: id}
	imageKey := engine.Key{Kind: engine.KindImage, ID: busybox}
	networkKey := engine.Key{Kind: engine.KindNetwork, ID: fakedocker.NetworkID("bridge")}
	volumeKey := engine.Key{Kind: engine.KindVolume, ID: "data"}
	all := []operation{
		{name: "Info", surfaces: []string{hostile.Info, hostile.Ping}, run: info},
		{name: "List", surfaces: []string{hostile.ListContainers}, run: list(engine.KindContainer)},
		{name: "List", surfaces: []string{hostile.ListImages}, run: list(engine.KindImage)},
		{name: "List", surfaces: []string{hostile.ListVolumes}, run: list(engine.KindVolume)},
		{name: "List", surfaces: []string{hostile.ListNetworks}, run: list(engine.KindNetwork)},
		{name: "Inspect", surfaces: []string{hostile.InspectContainer}, run: inspect(containerKey)},
		{name: "Inspect", surfaces: []string{hostile.InspectImage}, run: inspect(imageKey)},
		{name: "Inspect", surfaces: []string{hostile.InspectVolume}, run: inspect(volumeKey)},
		{name: "Inspect", surfaces: []string{hostile.InspectNetwork}, run: inspect(networkKey)},
		{name: "Watch", surfaces: []string{hostile.Events}, endless: true, run: watch},
		{name: "Pull", surfaces: []string{hostile.Pull}, run: pull(busybox)},
		{name: "Logs", surfaces: []string{hostile.InspectContainer, hostile.Logs}, endless: true, run: logs(containerKey)},
		{name: "Exec", surfaces: []string{hostile.CreateExec, hostile.StartExec, hostile.InspectExec}, endless: true, run: exec(containerKey)},
		{name: "Remove", surfaces: []string{hostile.RemoveContainer}, statusOnly: true, run: remove(containerKey, "")},
		{name: "Remove", surfaces: []string{hostile.RemoveVolume}, statusOnly: true, run: remove(volumeKey, "")},
		{name: "Remove", surfaces: []string{hostile.RemoveNetwork}, statusOnly: true, run: remove(networkKey, "")},
		{name: "Remove", surfaces: []string{hostile.RemoveImage}, statusOnly: true, run: remove(imageKey, busybox)},
	}
	for surface, action := range map[string]containersv1alpha1.Action{
		hostile.StartContainer: containersv1alpha1.ActionStart, hostile.StopContainer: containersv1alpha1.ActionStop,
		hostile.RestartContainer: containersv1alpha1.ActionRestart, hostile.PauseContainer: containersv1alpha1.ActionPause,
		hostile.UnpauseContainer: containersv1alpha1.ActionUnpause,
	} {
		all = append(all, operation{name: "Act", surfaces: []string{surface}, statusOnly: true, run: act(containerKey, action)})
	}
	return all
}

func info(ctx context.Context, e engine.Engine) outcome {
	info, err := e.Info(ctx)
	return outcome{err: err, info: &info}
}

func list(kind engine.Kind) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome {
		items, err := e.List(ctx, kind)
		return outcome{err: err, items: items, listed: true}
	}
}

func inspect(key engine.Key) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome {
		object, err := e.Inspect(ctx, key)
		if err != nil {
			return outcome{err: err}
		}
		return outcome{objects: []engine.Object{object}}
	}
}

func watch(ctx context.Context, e engine.Engine) outcome {
	var result outcome
	result.err = e.Watch(ctx, time.Now().Add(-time.Minute), func() {}, func(event engine.Event) {
		if len(result.events) < 1000 {
			result.events = append(result.events, event)
		}
	})
	return result
}

func pull(reference string) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome {
		_, err := e.(engine.Puller).Pull(ctx, "", reference, func(containersv1alpha1.PullProgress) {})
		return outcome{err: err}
	}
}

func logs(key engine.Key) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome {
		reader, err := e.(engine.Logger).Logs(ctx, key, engine.LogOptions{Tail: engine.AllLines})
		if err != nil {
			return outcome{err: err}
		}
		defer func() { _ = reader.Close() }()
		_, err = io.Copy(io.Discard, reader)
		return outcome{err: err}
	}
}

func exec(key engine.Key) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome {
		process, err := e.(engine.Execer).Exec(ctx, key, engine.ExecOptions{Command: []string{"true"}})
		if err != nil {
			return outcome{err: err}
		}
		_, err = process.Run(ctx, nil, io.Discard, io.Discard)
		return outcome{err: err}
	}
}

func remove(key engine.Key, tag string) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome {
		return outcome{err: e.Remove(ctx, key, engine.RemoveOptions{Tag: tag})}
	}
}

func act(key engine.Key, action containersv1alpha1.Action) func(context.Context, engine.Engine) outcome {
	return func(ctx context.Context, e engine.Engine) outcome { return outcome{err: e.Act(ctx, key, action)} }
}
