// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/faultproxy"
)

// faulty is a driver of a real engine behind a proxy that can inject
// faults.
type faulty struct {
	driver
	proxy   *faultproxy.Proxy
	deleted func() []string // the mirrors that were deleted since the start
}

// TestDockerdFaults is what must survive, with a real engine.
func TestDockerdFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		run  func(*faulty, *containersv1alpha1.ContainerEngine)
	}{
		{"EventsLost", faultEventsLost},
		{"StreamsCut", faultStreamsCut},
		{"ListsAndInspectsFail", faultAnswers},
		{"Killed", faultKilled},
		{"AnotherEngine", faultAnotherEngine},
		{"Names", faultNames},
		{"ThousandEvents", faultThousandEvents},
		{"TwoContainerEngines", faultTwo},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			engine := dockerd.Start(t, dockerd.Config{})
			proxy := faultproxy.Start(t, engine.Endpoint())
			e := newEnv(t, engine.Client, proxy.Endpoint())
			f := &faulty{driver: driver{env: e, engine: dockerSubject(realEngine{engine, t}, engine.Client), has: features{api: true}}, proxy: proxy, deleted: e.deletions()}
			ce := e.connect("moby")
			for i := range 3 {
				f.run(fmt.Sprint("runs-", i), *short(), container.HostConfig{})
			}
			defer f.removeAll()
			test.run(f, ce)
		})
	}
}

// short is a container that stops at once.
func short() *container.Config {
	now := 0
	return &container.Config{StopTimeout: &now}
}

func (f *faulty) ids() []string {
	f.t.Helper()
	list, err := f.docker.ContainerList(f.t.Context(), client.ContainerListOptions{All: true})
	f.must(err)
	ids := make([]string, len(list.Items))
	for i, c := range list.Items {
		ids[i] = c.ID
	}
	return ids
}

func (f *faulty) removeAll() {
	f.t.Helper()
	for _, id := range f.ids() {
		_, err := f.docker.ContainerRemove(f.t.Context(), id, client.ContainerRemoveOptions{Force: true})
		f.must(err)
	}
}

// some does a few things to the engine without a look at the mirrors: a new
// container, one less, one that is paused.
func (f *faulty) some(name string) (created string) {
	f.t.Helper()
	ctx, ids := f.t.Context(), f.ids()
	config := short()
	config.Image, config.Cmd = busyboxImage, []string{"true"}
	result, err := f.docker.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: config})
	f.must(err)
	_, err = f.docker.ContainerRemove(ctx, ids[0], client.ContainerRemoveOptions{Force: true})
	f.must(err)
	_, _ = f.docker.ContainerPause(ctx, ids[1], client.ContainerPauseOptions{}) // it may be paused already
	_, err = f.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "vol-" + name})
	f.must(err)
	return result.ID
}

// deletions watches the mirrors, and returns what tells which were deleted.
func (e *env) deletions() func() []string {
	e.t.Helper()
	var mu sync.Mutex
	var deleted []string // guarded by mu
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	for _, list := range []ctrlclient.ObjectList{&containersv1alpha1.ContainerList{}, &containersv1alpha1.ImageList{},
		&containersv1alpha1.VolumeList{}, &containersv1alpha1.NetworkList{}, &containersv1alpha1.ContainerNamespaceList{}} {
		stream, err := e.kube.Watch(ctx, list)
		e.must(err)
		reading.Go(func() {
			for event := range stream.ResultChan() {
				if object, ok := event.Object.(ctrlclient.Object); ok && event.Type == watch.Deleted {
					mu.Lock()
					deleted = append(deleted, object.GetName())
					mu.Unlock()
				}
			}
			if ctx.Err() == nil {
				e.t.Error("the test's own watch broke")
			}
		})
	}
	e.t.Cleanup(func() { cancel(); reading.Wait() })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), deleted...)
	}
}

func faultEventsLost(f *faulty, ce *containersv1alpha1.ContainerEngine) {
	f.proxy.DropEvents(true)
	lost := false
	for try := 0; try < 5 && !lost; try++ { // a comparison that is under way may find the container
		id := f.some(fmt.Sprint("lost-", try))
		f.eventually("the event is lost", func() (bool, string) { return f.proxy.Dropped(id), "" })
		_, mirrored := f.mirrorSide("moby")["container "+id]
		lost = !mirrored
	}
	if !lost {
		f.t.Fatal("the events were not lost: nothing is tested")
	}
	f.setResync(ce, time.Second)
	f.equal("moby")
}

func faultStreamsCut(f *faulty, _ *containersv1alpha1.ContainerEngine) {
	for i := range 2 {
		f.proxy.CutEvents()
		f.some(fmt.Sprint("cut-", i))
		f.proxy.CutEvents()
	}
	f.equal("moby")
}

func faultAnswers(f *faulty, ce *containersv1alpha1.ContainerEngine) {
	before := f.versions()
	f.proxy.DropEvents(true)
	for _, fail := range []func(string, int){f.proxy.Refuse, f.proxy.Truncate} {
		for _, path := range []string{"/containers/json", "/images/json", "/volumes"} {
			fail(path, -1)
		}
		began := time.Now()
		f.setResync0(ce, time.Second)
		f.eventually("the lists have failed", func() (bool, string) {
			failed, message := f.failedLists()
			return failed == 3 && time.Since(began) > 2*time.Second, message
		})
		for _, path := range []string{"/containers/json", "/images/json", "/volumes"} {
			fail(path, 0)
		}
	}
	if after := f.versions(); !maps.Equal(before, after) {
		f.t.Errorf("mirrors were changed though no list came: %v, then %v", before, after)
	}
	f.proxy.DropEvents(false)
	id := f.ids()[1]
	f.proxy.Refuse("/containers/"+id+"/json", 2)
	f.proxy.Truncate("/containers/"+id+"/json", 2)
	f.some("failed")
	f.equal("moby")
}

// faultKilled kills the engine while things happen, and then again.
func faultKilled(f *faulty, ce *containersv1alpha1.ContainerEngine) {
	for i := range 2 {
		before, deleted := f.versions(), len(f.deleted())
		f.engine.Restart(func() { f.waitReason(ce, containersv1alpha1.ReasonDisconnected) })
		f.waitReason(ce, containersv1alpha1.ReasonConnected)
		f.equal("moby")
		if now := f.deleted(); len(now) != deleted {
			f.t.Errorf("mirrors were deleted, by restart %d of the engine: %v", i, now[deleted:])
		}
		after := f.versions()
		for name, version := range before {
			if uid, _, _ := strings.Cut(version, "@"); !strings.HasPrefix(after[name], uid+"@") {
				f.t.Errorf("mirror %s was replaced: %s, then %s", name, version, after[name])
			}
		}
	}
}

func faultAnotherEngine(f *faulty, ce *containersv1alpha1.ContainerEngine) {
	before := f.versions()
	other, _ := newFake(f.t, fakedocker.Config{})
	other.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage})
	f.proxy.Point(other.Endpoint())
	f.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	f.proxy.Point(f.engine.Endpoint())
	f.waitReason(ce, containersv1alpha1.ReasonConnected)
	f.equal("moby")
	if after := f.versions(); !maps.Equal(before, after) {
		f.t.Errorf("mirrors were changed on another engine's word: %v, then %v", before, after)
	}
	if deleted := f.deleted(); len(deleted) != 0 {
		f.t.Errorf("mirrors were deleted: %v", deleted)
	}
}

func faultNames(f *faulty, _ *containersv1alpha1.ContainerEngine) {
	long := strings.Repeat("x", 4096)
	for _, name := range []string{"UPPER.case_and-all", strings.Repeat("Long", 63) + "end"} {
		config := short()
		config.Labels = map[string]string{"UPPER/Ключ ключ": "значение ✓ \"'\n", "long": long, strings.Repeat("k", 300): ""}
		config.Env = []string{"ÜNICODE=☃"}
		id := f.createContainer(name, *config, container.HostConfig{})
		f.removeContainer(id)
		_, err := f.docker.VolumeCreate(f.t.Context(), client.VolumeCreateOptions{Name: name, Labels: config.Labels})
		f.must(err)
	}
	tag := "registry.example.com:5000/" + strings.Repeat("a/", 40) + "b:" + strings.Repeat("T", 128)
	_, err := f.docker.ImageTag(f.t.Context(), client.ImageTagOptions{Source: busyboxImage, Target: tag})
	f.must(err)
	f.equal("moby")
	_, err = f.docker.ImageRemove(f.t.Context(), tag, client.ImageRemoveOptions{})
	f.must(err)
}

func faultThousandEvents(f *faulty, _ *containersv1alpha1.ContainerEngine) {
	id := f.ids()[0]
	before, began := f.resourceVersion(id), time.Now()
	for i := range 1000 {
		_, err := f.docker.ContainerRename(f.t.Context(), id, client.ContainerRenameOptions{NewName: fmt.Sprint("name-", i)})
		f.must(err)
	}
	took := time.Since(began)
	f.equal("moby")
	if writes, limit := f.resourceVersion(id)-before, 12+5*uint64(took.Seconds()+1); writes > limit {
		f.t.Errorf("%d writes for 1000 events in %s, want at most %d", writes, took, limit)
	}
}

func faultTwo(f *faulty, first *containersv1alpha1.ContainerEngine) {
	before := f.versions()
	later := f.create("later", namespace)
	f.waitReason(later, containersv1alpha1.ReasonConflict)
	elsewhere := f.create("elsewhere", "elsewhere")
	f.waitReason(elsewhere, containersv1alpha1.ReasonConnected)
	if mirrors := f.mirrorSide("later"); len(mirrors) != 0 {
		f.t.Errorf("the later one mirrors: %v", mirrors)
	}
	f.some("two")
	f.equal("moby")
	there := *f.env
	var list containersv1alpha1.ContainerList
	there.eventually("both mirror the same containers", func() (bool, string) {
		f.must(f.kube.List(f.t.Context(), &list, ctrlclient.InNamespace("elsewhere")))
		return len(list.Items) == len(f.ids()), fmt.Sprint(len(list.Items))
	})
	f.must(f.kube.Delete(f.t.Context(), elsewhere))
	f.eventually("the one elsewhere is gone", func() (bool, string) {
		err := f.kube.Get(f.t.Context(), ctrlclient.ObjectKeyFromObject(elsewhere), elsewhere)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	f.equal("moby")
	for name := range f.versions() {
		delete(before, name)
	}
	if len(before) != 1 { // the one that some removed
		f.t.Errorf("mirrors of %s are gone: %v", first.Name, before)
	}
}
