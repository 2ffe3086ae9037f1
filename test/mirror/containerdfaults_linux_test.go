// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/moby/moby/api/types/container"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// containerdFaults is a containerd behind a proxy that makes faults.
type containerdFaults struct {
	driver
	real    *containerd.Engine
	proxy   *containerd.Proxy
	deleted func() []string
}

// TestContainerdFaults makes the faults of the mirror's table to Debian's
// containerd.
func TestContainerdFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		run  func(*containerdFaults, *containersv1alpha1.ContainerEngine)
	}{
		{"EventsLost", (*containerdFaults).eventsLost},
		{"StreamsCut", (*containerdFaults).streamsCut},
		{"ListsAndInspectsFail", (*containerdFaults).answers},
		{"Killed", (*containerdFaults).killed},
		{"AnotherEngine", (*containerdFaults).anotherEngine},
		{"ThousandEvents", (*containerdFaults).thousandEvents},
		{"TwoContainerEngines", (*containerdFaults).two},
		{"CallsOfOneLife", (*containerdFaults).calls},
		{"LeftByRunc", (*containerdFaults).leftByRunc},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startContainerd(containerd.Debian)(t)
			program := s.engineUnderTest.(realContainerd).Engine
			proxy := containerd.StartProxy(t, program)
			e := newEnv(t, nil, proxy.Endpoint())
			e.hands, e.engineType, e.inEngine = s.hands, s.engineType, s.inEngine
			f := &containerdFaults{driver: driver{env: e, engine: s}, real: program, proxy: proxy, deleted: e.deletions()}
			ce := e.connect("moby")
			for i := range 3 {
				f.run(fmt.Sprint("runs-", i), container.Config{}, container.HostConfig{})
			}
			defer f.removeAll()
			test.run(f, ce)
		})
	}
}

func (f *containerdFaults) ids() []string {
	f.t.Helper()
	ids, err := f.hands.Containers(f.t.Context())
	f.must(err)
	return ids
}

func (f *containerdFaults) removeAll() {
	f.t.Helper()
	for _, id := range f.ids() {
		f.must(f.hands.Remove(f.t.Context(), id))
	}
}

// some does a few things to the engine without a look at the mirrors: a new
// container, one less, one that is paused, and a tag.
func (f *containerdFaults) some(name string) (created string) {
	f.t.Helper()
	ctx, ids := f.t.Context(), f.ids()
	created, err := f.hands.Create(ctx, name, container.Config{Image: busyboxImage, Cmd: []string{"true"}}, container.HostConfig{})
	f.must(err)
	f.must(f.hands.Remove(ctx, ids[0]))
	_ = f.hands.Pause(ctx, ids[1]) // it may be paused already
	f.must(f.hands.Tag(ctx, busyboxImage, "some:"+name))
	return created
}

func (f *containerdFaults) eventsLost(ce *containersv1alpha1.ContainerEngine) {
	f.proxy.LoseEvents(true)
	id := f.some("lost")
	name := f.hands.(*containerdHands).id(id)
	f.eventually("the event is lost", func() (bool, string) { return f.proxy.Lost(name), "" })
	if _, ok := f.mirrorSide("moby")["container "+id]; ok {
		f.t.Fatal("the events were not lost: nothing is tested")
	}
	f.setResync(ce, time.Second)
	f.equal("moby")
}

func (f *containerdFaults) streamsCut(ce *containersv1alpha1.ContainerEngine) {
	for i := range 2 {
		f.proxy.Cut()
		f.some(fmt.Sprint("cut-", i))
		f.proxy.Cut()
	}
	f.waitReason(ce, containersv1alpha1.ReasonConnected)
	f.equal("moby")
}

const (
	listContainers   = "containers.v1.Containers/ListStream"
	listImages       = "images.v1.Images/List"
	inspectContainer = "containers.v1.Containers/Get"
)

func (f *containerdFaults) answers(ce *containersv1alpha1.ContainerEngine) {
	before := f.versions()
	f.proxy.LoseEvents(true)
	const many = 1 << 30
	f.proxy.Fail(listContainers, many)
	f.proxy.Fail(listImages, many)
	f.update(ce, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.ResyncPeriod = &metav1.Duration{Duration: time.Second}
	})
	f.eventually("the lists have failed, again and again", func() (bool, string) {
		failed, message := f.failedLists()
		return failed == 2 && f.proxy.Left(listContainers) < many-2, message
	})
	if after := f.versions(); !maps.Equal(before, after) {
		f.t.Errorf("mirrors were changed though no list came: %v, then %v", before, after)
	}
	f.proxy.Fail(listContainers, 0)
	f.proxy.Fail(listImages, 0)
	f.proxy.LoseEvents(false)
	f.proxy.Fail(inspectContainer, 4)
	f.some("failed")
	f.equal("moby")
	if left := f.proxy.Left(inspectContainer); left != 0 {
		f.t.Errorf("%d inspections have not failed: nothing is tested", left)
	}
}

func (f *containerdFaults) killed(ce *containersv1alpha1.ContainerEngine) {
	for i := range 2 {
		before := f.versions()
		f.engine.Restart(func() { f.waitReason(ce, containersv1alpha1.ReasonDisconnected) })
		f.waitReason(ce, containersv1alpha1.ReasonConnected)
		f.equal("moby")
		if deleted := f.deleted(); len(deleted) != 0 {
			f.t.Errorf("mirrors were deleted, by restart %d of the engine: %v", i, deleted)
		}
		if after := f.versions(); !maps.Equal(before, after) {
			f.t.Errorf("nothing has changed, and mirrors were written: %v, then %v", before, after)
		}
	}
}

func (f *containerdFaults) anotherEngine(ce *containersv1alpha1.ContainerEngine) {
	before := f.versions()
	other := containerd.Start(f.t, containerd.Debian)
	f.proxy.SetTarget(other)
	f.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	f.proxy.SetTarget(f.real)
	f.waitReason(ce, containersv1alpha1.ReasonConnected)
	f.equal("moby")
	if after := f.versions(); !maps.Equal(before, after) {
		f.t.Errorf("mirrors were changed on another engine's word: %v, then %v", before, after)
	}
	if deleted := f.deleted(); len(deleted) != 0 {
		f.t.Errorf("mirrors were deleted: %v", deleted)
	}
}

func (f *containerdFaults) thousandEvents(*containersv1alpha1.ContainerEngine) {
	id := f.ids()[0]
	version := func() uint64 {
		var number uint64
		_, err := fmt.Sscan(f.container(id).ResourceVersion, &number)
		f.must(err)
		return number
	}
	hands := f.hands.(*containerdHands)
	c, _, err := hands.Load(f.t.Context(), hands.id(id))
	f.must(err)
	before, began := version(), time.Now()
	for i := range 1000 {
		_, err := c.SetLabels(containerd.In(f.t.Context(), containerd.Namespace), map[string]string{"number": fmt.Sprint(i)})
		f.must(err)
	}
	took := time.Since(began)
	f.equal("moby")
	// Four comparisons a second, each a write of the labels and one of the status.
	if writes, limit := version()-before, 16+9*uint64(took.Seconds()+1); writes > limit {
		f.t.Errorf("%d writes for 1000 events in %s, want at most %d", writes, took, limit)
	}
}

// calls counts what a container's life is asked about: its record and its image
// once, and its task after each event.
func (f *containerdFaults) calls(*containersv1alpha1.ContainerEngine) {
	before := f.proxy.Calls()
	id := f.run("counted", container.Config{}, container.HostConfig{})
	f.step(func(ctx context.Context) error { return f.hands.Kill(ctx, id) })
	f.becomes(id, containersv1alpha1.PhaseExited)
	f.removeContainer(id)
	after := f.proxy.Calls()
	for method, limit := range map[string]int{inspectContainer: 2, "images.v1.Images/Get": 1, "tasks.v1.Tasks/Get": 5} {
		if n := after[method] - before[method]; n > limit {
			f.t.Errorf("%d calls of %s, want at most %d", n, method, limit)
		} else {
			f.t.Logf("%d calls of %s", n, method)
		}
	}
}

func (f *containerdFaults) two(*containersv1alpha1.ContainerEngine) {
	later := f.create("later", namespace)
	f.waitReason(later, containersv1alpha1.ReasonConflict)
	if mirrors := f.mirrorSide("later"); len(mirrors) != 0 {
		f.t.Errorf("the later one mirrors: %v", mirrors)
	}
	elsewhere := f.create("elsewhere", "elsewhere")
	f.waitReason(elsewhere, containersv1alpha1.ReasonConnected)
	f.some("two")
	f.equal("moby")
	var list containersv1alpha1.ContainerList
	f.eventually("both mirror the same containers", func() (bool, string) {
		f.must(f.kube.List(f.t.Context(), &list, ctrlclient.InNamespace("elsewhere")))
		return len(list.Items) == len(f.ids()), fmt.Sprint(len(list.Items))
	})
	f.deleteNamespace("elsewhere")
	f.equal("moby")
}

// TestContainerdNamespaces: namespaces come and go, the same ID in two of them is
// two containers, and each is reached by its object's name.
func TestContainerdNamespaces(t *testing.T) {
	t.Parallel()
	s := startContainerd(containerd.Debian)(t)
	program := s.engineUnderTest.(realContainerd).Engine
	e := newEnv(t, nil, s.Endpoint())
	e.hands, e.engineType, e.inEngine = s.hands, s.engineType, s.inEngine
	e.connect("moby")
	const odd = "UPPER_case"
	service := program.Client.NamespaceService()
	for _, name := range []string{"second", odd} {
		e.must(service.Create(containerd.In(t.Context(), name), name, map[string]string{"a": "b"}))
	}
	e.equal("moby")
	oddNamespace := &containersv1alpha1.ContainerNamespace{}
	oddNamespace.Name, oddNamespace.Namespace = containersv1alpha1.ContainerNamespaceName("moby", odd), namespace
	e.eventually("the namespace's status is that of containerd", func() (bool, string) {
		e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(oddNamespace), oddNamespace))
		return oddNamespace.Status.Name == odd && oddNamespace.Status.Labels["a"] == "b", fmt.Sprintf("%+v", oddNamespace.Status)
	})

	t.Log("one ID, three containers")
	all := []string{containerd.Namespace, "second", odd}
	objects := map[string]string{}
	for _, name := range all {
		_, err := program.Client.NewContainer(containerd.In(t.Context(), name), "twin", client.WithNewSpec(oci.WithProcessArgs("true")))
		e.must(err)
		objects[name] = containersv1alpha1.NamespacedContainerName("moby", name, "twin")
	}
	e.equal("moby")
	for name, object := range objects {
		want := name
		if name == odd {
			want = oddNamespace.Name
		}
		if m := e.container(object); m.Status.Namespace != want || m.Status.Name != "twin" {
			t.Errorf("the container of %s has the namespace %q and the name %q", name, m.Status.Namespace, m.Status.Name)
		}
	}
	server := e.endpoints()
	for path, want := range map[string]int{"twin": http.StatusConflict, objects["second"]: http.StatusConflict, "none": http.StatusNotFound} {
		if _, code := dialLogs(t, server, path, ""); code != want {
			t.Errorf("the log of %s: %d, want %d", path, code, want)
		}
	}

	t.Log("a namespace with something in it is not removed")
	second := &containersv1alpha1.ContainerNamespace{}
	second.Name, second.Namespace = "second", namespace
	e.must(e.kube.Delete(t.Context(), second))
	e.eventually("a new object has containerd's refusal", func() (bool, string) {
		err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(second), second)
		return err == nil && second.DeletionTimestamp == nil &&
			apimeta.IsStatusConditionTrue(second.Status.Conditions, containersv1alpha1.ConditionDeletionRefused), fmt.Sprint(err, second.Status.Conditions)
	})
	e.must(e.kube.Delete(t.Context(), e.container(objects["second"])))
	e.equalSoon("moby")
	e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(second), second)) // it did not go with the container
	e.must(e.kube.Delete(t.Context(), second))
	e.eventually("the namespace is gone", func() (bool, string) {
		err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(second), second)
		return apierrors.IsNotFound(err), fmt.Sprint(err, second.Status.Conditions)
	})
	e.equal("moby")
	for _, name := range []string{containerd.Namespace, odd} {
		e.container(objects[name]) // it is still there
	}

	t.Log("removed and made again by others")
	e.must(e.kube.Delete(t.Context(), e.container(objects[odd])))
	e.equalSoon("moby")
	e.must(service.Delete(containerd.In(t.Context(), odd), odd))
	e.equal("moby")
	e.must(service.Create(containerd.In(t.Context(), odd), odd, nil))
	e.equal("moby")
}

// equalSoon is equal once nothing waits for its deletion.
func (e *env) equalSoon(engineName string) {
	e.t.Helper()
	e.eventually("no Container is being deleted", func() (bool, string) {
		var list containersv1alpha1.ContainerList
		e.list(&list)
		for i := range list.Items {
			if list.Items[i].DeletionTimestamp != nil {
				return false, list.Items[i].Name
			}
		}
		return true, ""
	})
	e.equal(engineName)
}

// TestContainerdAway: while nothing listens at the endpoint it is said what to do,
// and what is there again is found.
func TestContainerdAway(t *testing.T) {
	t.Parallel()
	s := startContainerd(containerd.Debian)(t)
	program := s.engineUnderTest.(realContainerd).Engine
	e := newEnv(t, nil, s.Endpoint())
	e.hands, e.engineType, e.inEngine = s.hands, s.engineType, s.inEngine
	ce := e.connect("moby")
	program.Kill()
	e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
	e.eventually("it is said what to do", func() (bool, string) {
		message := readyMessage(e.getEngine("moby"))
		return strings.Contains(message, "check that containerd runs"), message
	})
	program.Start()
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.equal("moby")
}

// leftByRunc: what runc keeps of a task that was being made when its client was killed
// is in the way of the next one, until containerd has failed over it once.
func (f *containerdFaults) leftByRunc(*containersv1alpha1.ContainerEngine) {
	ctx, name := f.t.Context(), "left"
	id, err := f.hands.Create(ctx, name, container.Config{Image: busyboxImage, Cmd: []string{"sleep", "10000"}}, container.HostConfig{})
	f.must(err)
	left := f.real.KnownToRunc(f.hands.(*containerdHands).id(id))
	f.must(os.MkdirAll(left, 0o700))
	f.t.Cleanup(func() { _ = os.Remove(left) })
	f.equal("moby")
	f.askAction(id, containersv1alpha1.ActionStart)
	f.becomes(id, containersv1alpha1.PhaseRunning)
}
