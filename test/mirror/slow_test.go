// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// prompt is how long what nothing holds up may take: less than the engine takes
// for what is slow, and enough for a busy machine.
const prompt = 15 * time.Second

// waitComplete waits until a ContainerEngine says that so much is wrong, and
// returns how it says it. The reason is that of the worst.
func (e *env) waitComplete(name, reason string, failed int32, words ...string) *metav1.Condition {
	e.t.Helper()
	var complete *metav1.Condition
	e.eventually(fmt.Sprintf("%d problems, %s %q", failed, reason, words), func() (bool, string) {
		ce := e.getEngine(name)
		complete = apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionComplete)
		if complete == nil {
			return false, "no condition"
		}
		status := metav1.ConditionFalse
		if failed == 0 {
			status = metav1.ConditionTrue
		}
		said := complete.Status == status && complete.Reason == reason && ce.Status.Failed == failed
		for _, word := range words {
			said = said && strings.Contains(complete.Message, word)
		}
		ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
		if wrong := strings.Contains(ready.Message, "problem"); wrong != (failed > 0) {
			return false, "Ready says " + ready.Message
		}
		return said, fmt.Sprintf("%d failed, %s %s: %s", ce.Status.Failed, complete.Status, complete.Reason, complete.Message)
	})
	return complete
}

// synced returns an object's condition Synced, nil for none, as it should be
// where all is well.
func (e *env) synced(object ctrlclient.Object) *metav1.Condition {
	e.t.Helper()
	e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(object), object))
	return apimeta.FindStatusCondition(conditions(object), containersv1alpha1.ConditionSynced)
}

// waitSynced waits until an object says with a reason that it is not equal to
// what the engine has, or, without a reason, no longer says so.
func (e *env) waitSynced(object ctrlclient.Object, reason string) {
	e.t.Helper()
	e.eventually(fmt.Sprintf("%s is Synced=False/%s", object.GetName(), reason), func() (bool, string) {
		c := e.synced(object)
		if c == nil {
			return reason == "", "no condition"
		}
		return c.Reason == reason && c.Status == metav1.ConditionFalse, c.Reason + ": " + c.Message
	})
}

// eventsOf counts the Events with a reason about an object.
func (e *env) eventsOf(kind, name, reason string) int {
	e.t.Helper()
	var events corev1.EventList
	e.list(&events)
	n := 0
	for _, event := range events.Items {
		if event.InvolvedObject.Kind == kind && event.InvolvedObject.Name == name && event.Reason == reason {
			n += int(max(event.Count, 1))
		}
	}
	return n
}

// promptly fails where something takes longer than what nothing holds up.
func (e *env) promptly(what string, condition func() (bool, string)) {
	e.t.Helper()
	began := time.Now()
	e.eventually(what, condition)
	if took := time.Since(began); took > prompt {
		e.t.Errorf("%s: after %s", what, took)
	}
}

// mirrored waits, but not long, until a container is mirrored in a phase; none
// for not at all.
func (e *env) mirrored(id string, phase containersv1alpha1.Phase) {
	e.t.Helper()
	e.promptly(fmt.Sprintf("container %.12s is %q", id, phase), func() (bool, string) {
		m := &containersv1alpha1.Container{}
		err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: id}, m)
		if phase == "" {
			return apierrors.IsNotFound(err), fmt.Sprint(err)
		}
		return err == nil && m.Status.Status == phase, fmt.Sprint(err, m.Status.Status)
	})
}

// TestHangingInspects: what the engine takes long for delays itself only, is
// named after five seconds, and needs no look once the engine has removed it.
func TestHangingInspects(t *testing.T) {
	t.Parallel()
	const hanging = 12 // more than there are workers
	e, engine := newFaulty(t, fakedocker.Config{})
	ids := engine.AddContainers(hanging, fakedocker.ContainerOptions{Image: busyboxImage, NamePrefix: "held-"})
	e.connect("moby")
	e.equal("moby")
	for _, id := range ids {
		engine.HangInspect(id, true)
		_, err := e.docker.ContainerStart(t.Context(), id, client.ContainerStartOptions{})
		e.must(err)
	}
	e.eventually("inspects hang", func() (bool, string) { n := engine.HangingInspects(); return n == hanging, fmt.Sprint(n) })

	other := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
	e.mirrored(other, containersv1alpha1.PhaseRunning)
	_, err := e.docker.ContainerRemove(t.Context(), other, client.ContainerRemoveOptions{Force: true})
	e.must(err)
	e.mirrored(other, "")
	t.Log("a removal that the engine tells of needs no inspection")
	_, err = e.docker.ContainerRemove(t.Context(), ids[0], client.ContainerRemoveOptions{Force: true})
	e.must(err)
	e.mirrored(ids[0], "")

	e.waitComplete("moby", containersv1alpha1.ReasonInspectFailed, hanging-1, "container held-", "no answer from the engine within 5s", "and 10 more")
	first := &containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{Name: ids[1], Namespace: namespace}}
	e.waitSynced(first, containersv1alpha1.ReasonInspectFailed)
	e.eventually("Events tell it", func() (bool, string) {
		n, of := e.eventsOf("ContainerEngine", "moby", containersv1alpha1.ReasonInspectFailed), e.eventsOf("Container", ids[1], containersv1alpha1.ReasonInspectFailed)
		return n > 0 && of == 1, fmt.Sprintf("%d of the ContainerEngine, %d of the container", n, of)
	})
	if n := engine.HangingInspects(); n > hanging {
		t.Errorf("%d inspects hang: an object is asked for twice at a time", n)
	}

	t.Log("and when they are answered all of that goes")
	for _, id := range ids {
		engine.HangInspect(id, false)
	}
	e.mirrored(ids[1], containersv1alpha1.PhaseRunning)
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.waitSynced(first, "")
	e.equal("moby")
}

// TestHundredsHang: there are more inspects that hang than may be waited for, from
// the start on. The others come through, and the engine is connected.
func TestHundredsHang(t *testing.T) {
	t.Parallel()
	const hanging, bound = 250, 150
	engine, docker := newFake(t, fakedocker.Config{})
	ids := engine.AddContainers(hanging, fakedocker.ContainerOptions{Image: busyboxImage, NamePrefix: "held-"})
	for _, id := range ids {
		engine.HangInspect(id, true)
	}
	e := newEnv(t, docker, engine.Endpoint())
	e.connect("moby")
	for range 3 {
		id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
		e.mirrored(id, containersv1alpha1.PhaseRunning)
		if n := engine.HangingInspects(); n > bound {
			t.Errorf("%d inspects hang at a time", n)
		}
	}
	e.waitComplete("moby", containersv1alpha1.ReasonInspectFailed, hanging, "and 249 more")
	for _, id := range ids {
		engine.HangInspect(id, false)
	}
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.equal("moby")
}

// TestVolumeOfTheSameName: a volume that is removed and made again is there.
func TestVolumeOfTheSameName(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	for i := range 30 {
		_, err := e.docker.VolumeRemove(t.Context(), "data", client.VolumeRemoveOptions{})
		e.must(err)
		engine.AddVolume("data")
		if i%10 == 9 {
			e.equal("moby")
		}
	}
}

// TestSlowList: a kind whose list is slow is named, and delays no other, at the
// start as later; and it is used when it comes.
func TestSlowList(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	ids := engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	engine.AddVolume("early")
	engine.SetListLatency(fakedocker.Volumes, 20*time.Second)
	e := newEnv(t, docker, engine.Endpoint())
	began := time.Now()
	ce := e.create("moby", namespace)
	e.mirrored(ids[2], containersv1alpha1.PhaseRunning) // kinds are listed beside each other
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("connected after %s", took)
	}
	e.waitComplete("moby", containersv1alpha1.ReasonListSlow, 1, "volumes", "5s")
	t.Log("the list does not undo what happens before it comes")
	engine.AddVolume("late")
	_, err := docker.VolumeRemove(t.Context(), "early", client.VolumeRemoveOptions{})
	e.must(err)
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.equal("moby")
	var volumes containersv1alpha1.VolumeList
	e.list(&volumes)
	if len(volumes.Items) != 1 {
		t.Errorf("%d volumes", len(volumes.Items))
	}
}

// TestFailedList: a kind that can't be listed is named, and the engine connected.
func TestFailedList(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.FailList(fakedocker.Images, -1)
	ce := e.create("moby", namespace)
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.waitComplete("moby", containersv1alpha1.ReasonListFailed, 1, "images", "is set to fail")
	if ce := e.getEngine("moby"); ce.Status.LastSync != nil {
		t.Errorf("compared at %s, and one list is missing", ce.Status.LastSync)
	}
	engine.FailList(fakedocker.Images, 0)
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.equal("moby")
}

// TestFailedInspectIsSaid: an inspect that fails for longer than a moment is reported,
// and once.
func TestFailedInspectIsSaid(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	e.equal("moby")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	c := &list.Items[0]
	engine.FailInspect(c.Name, -1)
	_, err := e.docker.ContainerPause(t.Context(), c.Name, client.ContainerPauseOptions{})
	e.must(err)
	e.waitComplete("moby", containersv1alpha1.ReasonInspectFailed, 1, c.Status.Name)
	e.waitSynced(c, containersv1alpha1.ReasonInspectFailed)
	if c.Status.Status != containersv1alpha1.PhaseRunning {
		t.Errorf("the mirror says %s", c.Status.Status)
	}
	time.Sleep(2 * time.Second)
	if n := e.eventsOf("Container", c.Name, containersv1alpha1.ReasonInspectFailed); n != 1 {
		t.Errorf("%d Events", n)
	}
	engine.FailInspect(c.Name, 0)
	_, err = e.docker.ContainerUnpause(t.Context(), c.Name, client.ContainerUnpauseOptions{})
	e.must(err)
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.waitSynced(c, "")
	e.equal("moby")
}

// TestStreamThatEndsAtOnce: an engine that ends each event stream a moment after
// it began is not compared with again and again.
func TestStreamThatEndsAtOnce(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for cut := 0; ; {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if n := engine.Requests()["GET /events"]; n > cut {
				time.Sleep(50 * time.Millisecond)
				engine.CutEvents()
				cut = n
			}
		}
	}()
	began := time.Now()
	e.create("moby", namespace)
	// However busy the machine is: what is said of the next try does not depend on it.
	e.eventually("the pauses get longer", func() (bool, string) {
		ready := apimeta.FindStatusCondition(e.getEngine("moby").Status.Conditions, containersv1alpha1.ConditionReady)
		if ready == nil {
			return false, "no condition"
		}
		_, pause, _ := strings.Cut(ready.Message, "next try in ")
		next, err := time.ParseDuration(pause)
		return err == nil && next >= time.Second, ready.Message
	})
	n := engine.Requests()["GET /events"]
	// 0.1, 0.2, 0.4, 0.8, 1.6 s pass between them, a tenth more or less.
	if limit := 2 + int(math.Log2(time.Since(began).Seconds()/0.09+1)); n == 0 || n > limit {
		t.Errorf("%d connections in %s, want at most %d", n, time.Since(began), limit)
	}
}

// TestAppSettlesWithProblems: what could not be listed is said by the App, and is
// no reason to wait.
func TestAppSettlesWithProblems(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.FailList(fakedocker.Volumes, -1)
	app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: appv1alpha1.AppName}}
	app.Spec.Running, app.Spec.ContainerEngine.Endpoint = true, engine.Endpoint()
	app.Spec.VirtualMachine.CPUs = 1
	e.must(e.kube.Create(t.Context(), app))
	settles := func(what string, ends bool) {
		t.Helper()
		e.eventually(what, func() (bool, string) {
			e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(app), app))
			settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
			if settled == nil {
				return false, "no condition"
			}
			return settled.Status == metav1.ConditionTrue && strings.HasSuffix(settled.Message, "; 1 problem") == ends, settled.Reason + ": " + settled.Message
		})
	}
	settles("it settles, and says that there is a problem", true)
	engine.FailList(fakedocker.Volumes, 0)
	settles("and that it is over", false)
}
