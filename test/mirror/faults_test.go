// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// newFaulty starts an environment with a simulated engine that has a few
// objects.
func newFaulty(t *testing.T, cfg fakedocker.Config) (*env, fakeEngine) {
	t.Helper()
	engine, docker := newFake(t, cfg)
	engine.AddContainers(5, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	engine.AddVolume("data")
	return newEnv(t, docker, engine.Endpoint()), engine
}

func (e *env) setResync(ce *containersv1alpha1.ContainerEngine, period time.Duration) {
	e.t.Helper()
	e.update(ce, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.ResyncPeriod = &metav1.Duration{Duration: period}
	})
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
}

func TestLostEventsAreRepaired(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	e.equal("moby")
	engine.DropEvents(true)
	ids := engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	engine.AddImage("lost:1")
	engine.AddVolume("lost")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	if _, err := e.docker.ContainerRemove(t.Context(), list.Items[0].Name, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.docker.ContainerPause(t.Context(), list.Items[1].Name, client.ContainerPauseOptions{}); err != nil {
		t.Fatal(err)
	}
	seconds := 0
	if _, err := e.docker.ContainerRestart(t.Context(), list.Items[2].Name, client.ContainerRestartOptions{Timeout: &seconds}); err != nil {
		t.Fatal(err)
	}
	if _, ok := e.mirrorSide("moby")["container "+ids[0]]; ok {
		t.Fatal("the events were not lost: nothing is tested")
	}
	e.setResync(ce, time.Second)
	e.equal("moby")
}

// TestLostEventOfWhatAListDoesNotShow: the restart policy is in no list.
func TestLostEventOfWhatAListDoesNotShow(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.AddContainers(50, fakedocker.ContainerOptions{Image: busyboxImage})
	ce := e.connect("moby")
	e.equal("moby")
	engine.DropEvents(true)
	var list containersv1alpha1.ContainerList
	e.list(&list)
	if _, err := e.docker.ContainerUpdate(t.Context(), list.Items[30].Name, client.ContainerUpdateOptions{
		RestartPolicy: &container.RestartPolicy{Name: "always"}}); err != nil {
		t.Fatal(err)
	}
	e.setResync(ce, time.Second)
	e.equal("moby")
}

func TestFailedListsDeleteNothing(t *testing.T) {
	t.Parallel()
	for kind, list := range map[string]fakedocker.List{"containers": fakedocker.Containers, "images": fakedocker.Images, "volumes": fakedocker.Volumes} {
		for name, fail := range map[string]func(*fakedocker.Server, int){
			"refused":  func(s *fakedocker.Server, times int) { s.FailList(list, times) },
			"cut half": func(s *fakedocker.Server, times int) { s.TruncateList(list, times) },
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				e, engine := newFaulty(t, fakedocker.Config{})
				ce := e.connect("moby")
				before := e.versions()
				fail(engine.Server, -1)
				engine.DropEvents(true)
				engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage})
				engine.AddVolume("more")
				engine.AddImage("more:1")
				e.setResync0(ce, time.Second)
				e.eventually("the kinds that can be listed are synced", func() (bool, string) {
					have := len(e.versions())
					return have == len(before)+2, fmt.Sprintf("%d mirrors, %d before", have, len(before))
				})
				asked := engine.Requests()[string(list)]
				e.eventually("the failing list is tried again", func() (bool, string) {
					n := engine.Requests()[string(list)]
					return n > asked, fmt.Sprint(n)
				})
				for mirror := range before {
					if _, ok := e.versions()[mirror]; !ok {
						t.Errorf("%s was removed though the list failed", mirror)
					}
				}
				fail(engine.Server, 0)
				e.equal("moby")
			})
		}
	}
}

// setResync0 is setResync without the wait, for an engine whose lists fail.
func (e *env) setResync0(ce *containersv1alpha1.ContainerEngine, period time.Duration) {
	e.t.Helper()
	e.update(ce, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.ResyncPeriod = &metav1.Duration{Duration: period}
	})
}

// TestFirstListFails: an engine is not Connected before everything was listed, or
// is said to be missing.
func TestFirstListFails(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.FailList(fakedocker.Images, -1)
	ce := e.create("moby", namespace)
	e.eventually("containers are mirrored", func() (bool, string) {
		var list containersv1alpha1.ContainerList
		e.list(&list)
		return len(list.Items) == 5, fmt.Sprint(len(list.Items))
	})
	e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce))
	if apimeta.IsStatusConditionTrue(ce.Status.Conditions, containersv1alpha1.ConditionReady) &&
		!apimeta.IsStatusConditionFalse(ce.Status.Conditions, containersv1alpha1.ConditionComplete) {
		t.Errorf("Ready is True, and nothing says that the images could not be listed: %+v; %v", ce.Status, engine.Requests())
	}
	engine.FailList(fakedocker.Images, 0)
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.equal("moby")
}

func TestFailedInspectIsRetried(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage})[0]
	e.equal("moby")
	engine.FailInspect(id, 3)
	if _, err := e.docker.ContainerStart(t.Context(), id, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	e.eventually("the container is seen to run", func() (bool, string) {
		status := e.mirrorSide("moby")["container "+id]["status"]
		return status == "running", status
	})
}

// TestFailedFirstTry: when an engine is first said to be connected each of its objects
// is mirrored, or it is said which one is not: one that failed once is tried again first,
// and one that goes on failing holds up no others.
func TestFailedFirstTry(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"once": 1, "for good": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, engine := newFaulty(t, fakedocker.Config{})
			id := engine.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage})[0]
			engine.FailInspect(id, times)
			ce := e.create("moby", namespace)
			e.waitReason(ce, containersv1alpha1.ReasonConnected)
			var mirrors containersv1alpha1.ContainerList
			e.list(&mirrors)
			complete := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionComplete)
			switch {
			case times > 0 && slices.ContainsFunc(mirrors.Items, func(c containersv1alpha1.Container) bool { return c.Name == id }):
			case times < 0 && complete != nil && complete.Reason == containersv1alpha1.ReasonInspectFailed:
			default:
				t.Errorf("%d containers are mirrored, and Complete is %+v", len(mirrors.Items), complete)
			}
			engine.FailInspect(id, 0)
			e.equal("moby")
		})
	}
}

// TestBadObjectDoesNotStopTheOthers: one container is not as the API says.
func TestBadObjectDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ids := engine.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	if !engine.MalformContainer(ids[0]) {
		t.Fatal("the container could not be malformed")
	}
	e.connect("moby")
	mirrors := e.mirrorSide("moby")
	if _, ok := mirrors["container "+ids[1]]; !ok || len(mirrors) < 8 {
		t.Errorf("of the others there are only %d", len(mirrors))
	}
}

func TestBurstOfEventsIsAFewWrites(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
	e.equal("moby")
	before := e.resourceVersion(id)
	began := time.Now()
	for i := range 1000 {
		var err error
		if i%2 == 0 {
			_, err = e.docker.ContainerPause(t.Context(), id, client.ContainerPauseOptions{})
		} else {
			_, err = e.docker.ContainerUnpause(t.Context(), id, client.ContainerUnpauseOptions{})
		}
		e.must(err)
	}
	took := time.Since(began)
	if _, err := e.docker.ContainerPause(t.Context(), id, client.ContainerPauseOptions{}); err != nil {
		t.Fatal(err)
	}
	e.equal("moby")
	// No other client writes: every revision is one of ours.
	limit := 12 + 5*int(took.Seconds()+1)
	if writes := e.resourceVersion(id) - before; writes > uint64(limit) {
		t.Errorf("%d writes for 1001 events in %s, want at most %d", writes, took, limit)
	}
}

func (e *env) resourceVersion(id string) uint64 {
	e.t.Helper()
	var c containersv1alpha1.Container
	e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: id}, &c))
	var version uint64
	if _, err := fmt.Sscan(c.ResourceVersion, &version); err != nil {
		e.t.Fatal(err)
	}
	return version
}

func TestEngineClockAnHourOff(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, engine := newFaulty(t, fakedocker.Config{Clock: func() time.Time { return time.Now().Add(offset) }})
			ce := e.connect("moby")
			e.equal("moby")
			engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
			e.equal("moby")
			engine.CutEvents()
			engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
			e.equal("moby")
			e.setResync(ce, time.Second)
			before := e.versions()
			asked := engine.Requests()
			lists := func() int {
				return engine.Requests()[string(fakedocker.Containers)] - asked[string(fakedocker.Containers)]
			}
			e.eventually("three comparisons are made, which must find nothing", func() (bool, string) { return lists() > 3, fmt.Sprint(lists()) })
			for mirror, version := range e.versions() {
				if before[mirror] != version {
					t.Errorf("%s was written though nothing changed", mirror)
				}
			}
			const inspect = "GET /containers/{id}/json"
			if more := engine.Requests()[inspect] - asked[inspect]; more > (lists()+1)*16 {
				t.Errorf("%d inspects for comparisons with a container that did not change", more)
			}
		})
	}
}

func TestStreamCutsLoseNothing(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	before := e.versions()
	for range 10 {
		engine.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage})
		engine.CutEvents()
		engine.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage})
	}
	e.equal("moby")
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	for mirror, version := range before {
		if after := e.versions()[mirror]; after != version {
			t.Errorf("%s did not change and was written: %s, then %s", mirror, version, after)
		}
	}
}

func TestAnotherEngineAtTheEndpoint(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{ID: "first"})
	ce := e.connect("moby")
	before := e.versions()
	engine.Stop()
	e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
	var ids []string
	var list containersv1alpha1.ContainerList
	e.list(&list)
	for _, c := range list.Items {
		ids = append(ids, c.Name)
	}
	engine.SetID("second")
	e.must(engine.Server.Restart())
	// It has none of the first one's containers.
	for _, id := range ids {
		_, err := e.docker.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true})
		e.must(err)
	}
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	if after := e.versions(); !maps.Equal(before, after) {
		t.Errorf("mirrors were changed on another engine's word: %v, then %v", before, after)
	}
	// It comes back.
	engine.Stop()
	engine.SetID("first")
	e.must(engine.Server.Restart())
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.equal("moby")
	// And the user can take the other one instead.
	engine.Stop()
	engine.SetID("third")
	e.must(engine.Server.Restart())
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	e.setRunning(ce, false)
	e.waitReason(ce, containersv1alpha1.ReasonStopped)
	e.setRunning(ce, true)
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.equal("moby")
}

// TestAnEngineOfAnotherVersion: an engine that comes back may speak neither the
// old version of the API nor a newer one.
func TestAnEngineOfAnotherVersion(t *testing.T) {
	t.Parallel()
	engine, _ := newFake(t, fakedocker.Config{APIVersion: "1.44"})
	docker, err := client.New(client.WithHost(engine.Endpoint()), client.WithAPIVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, docker, engine.Endpoint())
	ce := e.connect("moby")
	for _, version := range []string{"1.41", "1.43"} {
		engine.Stop()
		e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
		engine.SetAPIVersion(version)
		e.must(engine.Server.Restart())
		e.waitReason(ce, containersv1alpha1.ReasonConnected)
		if ce.Status.APIVersion != version {
			t.Errorf("version %s of the API is in use, want %s", ce.Status.APIVersion, version)
		}
		engine.AddVolume("of-" + version)
		e.equal("moby")
	}
}

// TestAStopComesToItsEnd: who starts the mirror again before a stop has removed
// all mirrors gets those of the engine that is there, and not of the one before.
func TestAStopComesToItsEnd(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{ID: "first"})
	for i := range 100 {
		engine.AddVolume(fmt.Sprintf("v%d", i))
	}
	ce := e.connect("moby")
	engine.Stop()
	e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
	engine.SetID("second")
	e.must(engine.Server.Restart())
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	e.setRunning(ce, false)
	e.eventually("the stop has begun", func() (bool, string) {
		e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce))
		ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
		return ready.Reason == containersv1alpha1.ReasonStopped, ready.Reason
	})
	e.setRunning(ce, true)
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.equal("moby")
}

// TestTheEndpointIsChanged: the mirrors of the engine before go, and those of
// the new one come, with the engine before gone or not.
func TestTheEndpointIsChanged(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprintf("gone=%t", gone), func(t *testing.T) {
			t.Parallel()
			e, first := newFaulty(t, fakedocker.Config{ID: "first"})
			ce := e.connect("moby")
			before := first.Counts()
			second, _ := newFake(t, fakedocker.Config{ID: "second"})
			if gone {
				first.Stop()
				e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
			}
			e.update(ce, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = second.Endpoint() })
			e.waitReason(ce, containersv1alpha1.ReasonConnected)
			if ce.Status.EngineID != "second" || ce.Status.Endpoint != second.Endpoint() {
				t.Errorf("the status says %s at %s", ce.Status.EngineID, ce.Status.Endpoint)
			}
			var containers containersv1alpha1.ContainerList
			e.list(&containers)
			if len(containers.Items) != 0 {
				t.Errorf("%d containers of the engine before are left", len(containers.Items))
			}
			if after := first.Counts(); after != before {
				t.Errorf("the engine before lost objects: %+v, then %+v", before, after)
			}
		})
	}
}

// TestStopWhileTheEngineIsGone: a stop needs no engine.
func TestStopWhileTheEngineIsGone(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(fakeEngine){
		"dead":    func(f fakeEngine) { f.Stop() },
		"hanging": func(f fakeEngine) { f.HangRequests(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, engine := newFaulty(t, fakedocker.Config{})
			ce := e.connect("moby")
			fault(engine)
			defer engine.HangRequests(false)
			e.setRunning(ce, false)
			e.waitReason(ce, containersv1alpha1.ReasonStopped)
			if left := e.versions(); len(left) != 0 {
				t.Errorf("mirrors are left: %v", left)
			}
		})
	}
}

func TestDeletingTheContainerEngine(t *testing.T) {
	t.Parallel()
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			e, engine := newFaulty(t, fakedocker.Config{})
			ce := e.connect("moby")
			e.must(e.kube.Delete(t.Context(), ce, ctrlclient.PropagationPolicy(policy)))
			e.eventually("the ContainerEngine is gone", func() (bool, string) {
				err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce)
				return apierrors.IsNotFound(err), fmt.Sprint(err, ce.Finalizers)
			})
			e.eventually("its mirrors are gone", func() (bool, string) {
				left := e.versions()
				return len(left) == 0, fmt.Sprint(left)
			})
			if counts := engine.Counts(); counts.Containers != 5 || counts.Volumes != 1 || counts.Images != 1 {
				t.Errorf("the engine lost objects: %+v", counts)
			}
		})
	}
}

// TestDeletingTheNamespace: the mirrors go with it, and the engine keeps all.
func TestDeletingTheNamespace(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	e.deleteNamespace(namespace)
	if counts := engine.Counts(); counts.Containers != 5 || counts.Volumes != 1 || counts.Images != 1 {
		t.Errorf("the engine lost objects: %+v", counts)
	}
}

func TestTwoContainerEnginesOnOneEndpoint(t *testing.T) {
	t.Parallel()
	e, _ := newFaulty(t, fakedocker.Config{})
	first := e.connect("moby")
	second := e.create("second", namespace)
	e.waitReason(second, containersv1alpha1.ReasonConflict)
	if mirrors := e.mirrorSide("second"); len(mirrors) != 0 {
		t.Errorf("the later one mirrors: %v", mirrors)
	}
	elsewhere := e.create("third", "elsewhere")
	e.waitReason(elsewhere, containersv1alpha1.ReasonConnected)
	var list containersv1alpha1.ContainerList
	e.must(e.kube.List(t.Context(), &list, ctrlclient.InNamespace("elsewhere")))
	if len(list.Items) != 5 {
		t.Errorf("in another namespace %d containers are mirrored", len(list.Items))
	}
	e.equal("moby")
	before := e.versions()
	e.must(e.kube.Delete(t.Context(), elsewhere))
	e.eventually("the one in another namespace is gone", func() (bool, string) {
		err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(elsewhere), elsewhere)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	if after := e.versions(); !maps.Equal(before, after) {
		t.Error("the first one's mirrors were touched")
	}
	e.must(e.kube.Delete(t.Context(), first))
	e.waitReason(second, containersv1alpha1.ReasonConnected)
	e.equal("second")
}

// TestForeignObjects: what lacks the owner's label or its UID is invisible.
func TestForeignObjects(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	foreign := []ctrlclient.Object{ // no label, no owner; a finalizer; a label and no owner
		&containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Namespace: namespace}},
		&containersv1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Namespace: namespace, Finalizers: []string{containersv1alpha1.MirrorFinalizer}}},
		&containersv1alpha1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "other-uid", Namespace: namespace,
			Labels: map[string]string{containersv1alpha1.EngineLabel: "moby"}}},
	}
	for _, object := range foreign {
		e.must(e.kube.Create(t.Context(), object))
	}
	check := func(when string) {
		t.Helper()
		for _, object := range foreign {
			version := object.GetResourceVersion()
			if err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(object), object); err != nil || object.GetResourceVersion() != version {
				t.Errorf("%s: %T %s: %v, version %s, then %s", when, object, object.GetName(), err, version, object.GetResourceVersion())
			}
		}
	}
	e.setResync(ce, time.Second)
	engine.CutEvents()
	e.waitCompared(ce)
	check("after a comparison")
	// Deleting an object that is no mirror never reaches the engine.
	held := foreign[1]
	e.must(e.kube.Delete(t.Context(), held))
	e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(held), held))
	if held.GetDeletionTimestamp() == nil || len(held.GetFinalizers()) != 1 {
		t.Error("the finalizer of a foreign object was touched")
	}
	e.setRunning(ce, false)
	e.waitReason(ce, containersv1alpha1.ReasonStopped)
	check("after a stop")
	e.setRunning(ce, true)
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	check("after a start")
	e.must(e.kube.Delete(t.Context(), ce))
	e.eventually("the ContainerEngine is gone", func() (bool, string) {
		err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	check("after the end")
	held.SetFinalizers(nil)
	e.must(e.kube.Update(t.Context(), held))
}
