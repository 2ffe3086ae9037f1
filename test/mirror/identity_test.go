// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/moby/moby/client"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

func keyOf(obj ctrlclient.Object) ctrlclient.ObjectKey { return ctrlclient.ObjectKeyFromObject(obj) }

// restartedAs stops the engine, has it changed, and starts it again.
func (e *env) restartedAs(engine fakeEngine, ce *containersv1alpha1.ContainerEngine, change func()) {
	e.t.Helper()
	engine.Stop()
	e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
	change()
	e.must(engine.Server.Restart())
}

// clear removes everything that the engine has, without events.
func (e *env) clear(engine fakeEngine) {
	e.t.Helper()
	engine.DropEvents(true)
	containers, err := e.docker.ContainerList(e.t.Context(), client.ContainerListOptions{All: true})
	e.must(err)
	for _, c := range containers.Items {
		_, err := e.docker.ContainerRemove(e.t.Context(), c.ID, client.ContainerRemoveOptions{Force: true})
		e.must(err)
	}
	e.clearImages()
	volumes, err := e.docker.VolumeList(e.t.Context(), client.VolumeListOptions{})
	e.must(err)
	for _, v := range volumes.Items {
		_, err := e.docker.VolumeRemove(e.t.Context(), v.Name, client.VolumeRemoveOptions{})
		e.must(err)
	}
	engine.DropEvents(false)
}

func (e *env) clearImages() {
	e.t.Helper()
	images, err := e.docker.ImageList(e.t.Context(), client.ImageListOptions{})
	e.must(err)
	for _, image := range images.Items {
		_, err := e.docker.ImageRemove(e.t.Context(), image.ID, client.ImageRemoveOptions{Force: true})
		e.must(err)
	}
}

// TestSameIDInAnotherDirectory: the ID is in a file that is copied with a disk.
func TestSameIDInAnotherDirectory(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	e.equal("moby")
	if ce.Status.HostName != "fakedocker" || ce.Status.RootDir != "/var/lib/docker" {
		t.Errorf("the status has the host %q and the directory %q", ce.Status.HostName, ce.Status.RootDir)
	}
	before := e.versions()
	e.restartedAs(engine, ce, func() { engine.SetPlace("", "/elsewhere") })
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	e.clear(engine)
	// Nor is it known after a restart of the manager.
	e.restartManager()
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	if after := e.versions(); !maps.Equal(before, after) {
		t.Errorf("mirrors were changed on another engine's word: %v, then %v", before, after)
	}
}

// TestAnotherHostName: a laptop may get another name, and a copy of a machine has
// nothing of what was there.
func TestAnotherHostName(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	e.restartedAs(engine, ce, func() { engine.SetPlace("renamed", "") })
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.eventually("the new name is in the status", func() (bool, string) {
		e.must(e.kube.Get(t.Context(), keyOf(ce), ce))
		return ce.Status.HostName == "renamed", ce.Status.HostName
	})
	e.equal("moby")
	before := e.versions()
	e.clear(engine)
	e.restartedAs(engine, ce, func() { engine.SetPlace("another", "") })
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	if after := e.versions(); !maps.Equal(before, after) {
		t.Errorf("mirrors were changed on another engine's word: %v, then %v", before, after)
	}
}

// TestUpgradeKnowsNoPlace: a status that an older version wrote has neither.
func TestUpgradeKnowsNoPlace(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	e.stopManager()
	base := ce.DeepCopy()
	ce.Status.HostName, ce.Status.RootDir = "", ""
	e.must(e.kube.Status().Patch(t.Context(), ce, ctrlclient.MergeFrom(base)))
	engine.SetPlace("moved", "/elsewhere")
	e.startManager()
	e.eventually("the place is known", func() (bool, string) {
		e.must(e.kube.Get(t.Context(), keyOf(ce), ce))
		return ce.Status.HostName == "moved" && ce.Status.RootDir == "/elsewhere", ce.Status.HostName + " " + ce.Status.RootDir
	})
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
}

// TestAKindThatIsSuddenlyEmpty: it is listed again after five seconds, and believed
// only of the same engine.
func TestAKindThatIsSuddenlyEmpty(t *testing.T) {
	t.Parallel()
	for name, changed := range map[string]bool{"the same engine": false, "another one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine, docker := newFake(t, fakedocker.Config{}) // it has an image and nothing else
			e := newEnv(t, docker, engine.Endpoint())
			ce := e.connect("moby")
			e.equal("moby")
			images := func() int {
				var list containersv1alpha1.ImageList
				e.list(&list)
				return len(list.Items)
			}
			e.clear(engine)
			began := time.Now()
			e.setResync0(ce, time.Second)
			for time.Since(began) < 3*time.Second {
				if images() != 1 {
					t.Fatal("an image is gone at the first word")
				}
				time.Sleep(100 * time.Millisecond)
			}
			if changed {
				engine.SetPlace("another", "")
				e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
				if images() != 1 {
					t.Error("an image is gone on another engine's word")
				}
				return
			}
			e.eventually("the image is gone", func() (bool, string) { return images() == 0, fmt.Sprint(images()) })
			e.equal("moby")
		})
	}
}
