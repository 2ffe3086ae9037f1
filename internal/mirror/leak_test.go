// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// leakEvents is an hour of a busy engine.
const leakEvents = 20_000

// TestNothingStaysOfWhatIsGone: when all containers of thousands of events are
// removed, a session knows nothing of them any more, and memory and goroutines
// are what they were.
func TestNothingStaysOfWhatIsGone(t *testing.T) {
	runtime.MemProfileRate = 4 << 10 // bytes from one sample to the next
	l := newLeaking(t)
	limit := 2000
	if os.Getenv("RDD_TEST_ROUNDS") == "all" {
		limit = leakEvents
	}
	for l.events < limit/2 {
		l.round(60)
	}
	before := l.usage()
	for l.events < limit {
		l.round(60)
	}
	l.checkTables()
	after := l.usage()
	t.Logf("%d events, heap %d KB, %d KB, then %d KB; %d goroutines, then %d", l.events, l.most>>10, before.heap>>10, after.heap>>10, before.goroutines, after.goroutines)
	const slack = 1 << 20 // the profile is made of samples
	if after.heap > before.heap+slack {
		t.Errorf("the heap grew from %d KB to %d KB", before.heap>>10, after.heap>>10)
	}
	if l.most == 0 {
		t.Error("with mirrors there is nothing in the heap: nothing is measured")
	}
	if after.goroutines > before.goroutines+20 {
		t.Errorf("goroutines: %d, then %d", before.goroutines, after.goroutines)
	}
}

// leaking is a session with an engine and an API server.
type leaking struct {
	t       *testing.T
	session *Session
	engine  *fakedocker.Server
	docker  *client.Client
	kube    ctrlclient.Client
	series  func() int
	events  int   // reported by the engine, about
	most    int64 // of the heap, with the first containers mirrored
	keys    []engine.Key
}

func newLeaking(t *testing.T) *leaking {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	control := controlplanetest.Start(t)
	control.Install(manager.Definitions(Controllers(open.Drivers())))
	scheme := k8sruntime.NewScheme()
	must(corev1.AddToScheme(scheme))
	must(containersv1alpha1.AddToScheme(scheme))
	config := control.Server.ClientConfig()
	kube, err := ctrlclient.New(config, ctrlclient.Options{Scheme: scheme})
	must(err)
	informers, err := cache.New(config, cache.Options{Scheme: scheme})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- informers.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	fake := fakedocker.Run(t, fakedocker.Config{})
	fake.AddImage("busybox:latest")
	docker, err := client.New(client.WithHost(fake.Endpoint()))
	must(err)
	t.Cleanup(func() { _ = docker.Close() })

	must(kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}}))
	e := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "moby", Namespace: "ns"}}
	e.Spec.Type, e.Spec.Endpoint = containersv1alpha1.EngineMoby, fake.Endpoint()
	must(kube.Create(ctx, e))
	connection, err := open.Drivers().Open(e.Spec, nil)
	must(err)
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry)
	must(err)
	s := startSession(sessionConfig{
		owner: newOwner(e), engine: connection, resync: time.Hour, client: kube, reader: kube, events: &record.FakeRecorder{},
		watch: mirrorWatch{informers}, clock: clock.RealClock{}, log: slog.New(slog.DiscardHandler), metrics: m, changed: func() {},
	})
	t.Cleanup(s.Stop)
	return &leaking{t: t, session: s, engine: fake, docker: docker, kube: kube, series: func() int {
		families, err := registry.Gather()
		must(err)
		n := 0
		for _, family := range families {
			n += len(family.Metric)
		}
		return n
	}}
}

// round has containers live and go: some through their objects, and some in the
// middle of an act.
func (l *leaking) round(n int) {
	l.t.Helper()
	ids := l.engine.AddContainers(n, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	l.await("all are mirrored", func() (bool, string) { return l.counted(n) })
	if l.most == 0 {
		l.most = l.usage().heap
	}
	for i, id := range ids {
		l.keys = append(l.keys, engine.Key{Kind: engine.KindContainer, ID: id})
		m := &containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{Name: id, Namespace: "ns"}}
		var err error
		switch i % 3 {
		case 0:
			err = l.kube.Delete(l.t.Context(), m)
		case 1:
			before := m.DeepCopy()
			m.Annotations = map[string]string{containersv1alpha1.ActionAnnotation: "restart"}
			if err = l.kube.Patch(l.t.Context(), m, ctrlclient.MergeFrom(before)); err == nil {
				_, err = l.docker.ContainerRemove(l.t.Context(), id, client.ContainerRemoveOptions{Force: true})
			}
		default:
			_, err = l.docker.ContainerRemove(l.t.Context(), id, client.ContainerRemoveOptions{Force: true})
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	l.await("all are gone", func() (bool, string) { return l.counted(0) })
	l.events += 7 * n // create, connect, start; kill, die, disconnect, destroy
}

func (l *leaking) counted(want int) (bool, string) {
	n := l.session.State().Counts[engine.KindContainer]
	return n == want, fmt.Sprint(n)
}

func (l *leaking) await(what string, condition func() (bool, string)) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		holds, state := condition()
		if holds {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("never: %s; last: %s", what, state)
		}
	}
}

// checkTables waits until the session has only what there still is: an image, three
// networks and a namespace.
func (l *leaking) checkTables() {
	l.t.Helper()
	s := l.session
	time.Sleep(2 * paceBurst * paceInterval) // the pacer forgets now and then, when there is an event
	l.round(1)
	sizes := func() []int {
		s.table.mu.Lock()
		defer s.table.mu.Unlock()
		s.actor.acts.mu.Lock()
		defer s.actor.acts.mu.Unlock()
		s.connection.removals.mu.Lock()
		defer s.connection.removals.mu.Unlock()
		s.actor.deletions.mu.Lock()
		defer s.actor.deletions.mu.Unlock()
		s.syncer.mu.Lock()
		defer s.syncer.mu.Unlock()
		s.syncer.pacer.mu.Lock()
		defer s.syncer.pacer.mu.Unlock()
		return []int{
			len(s.table.objects), len(s.table.byKey), len(s.table.byTag), len(s.table.ours), len(s.table.gone),
			len(s.actor.acts.list), len(s.connection.removals.keys), len(s.actor.deletions.byUID), len(s.syncer.busy), len(s.syncer.arrived), max(1, len(s.syncer.pacer.debts)),
		}
	}
	want := []int{5, 5, 1, 5, 0, 0, 0, 0, 0, 0, 1}
	l.await("the tables are empty", func() (bool, string) {
		got := sizes()
		return slices.Equal(got, want), fmt.Sprintf("objects, byKey, byTag, ours, gone, acts, removals, deletions, busy, arrived, debts: %v, want %v", got, want)
	})
	for _, key := range l.keys {
		if n := s.syncer.queue[key.Kind].NumRequeues(key); n != 0 {
			l.t.Errorf("the rate limiter remembers %d failures of %v", n, key)
		}
	}
	if n := l.series(); n > 20 {
		l.t.Errorf("there are %d series of metrics", n)
	}
}

type usage struct {
	heap       int64 // in use, of what this package and the engine's client allocated
	goroutines int
}

// usage leaves out what the API server holds, which is in this process too: it
// remembers for more than a minute what was written.
func (l *leaking) usage() usage {
	l.t.Helper()
	runtime.GC()
	runtime.GC() // what the profile shows is one collection behind
	n, _ := runtime.MemProfile(nil, false)
	records := make([]runtime.MemProfileRecord, 2*n)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		l.t.Fatal("the profile of the heap grew too fast")
	}
	u := usage{goroutines: runtime.NumGoroutine()}
	for _, record := range records[:n] {
		for frames := runtime.CallersFrames(record.Stack()); ; {
			frame, more := frames.Next()
			if strings.Contains(frame.Function, "internal/mirror.(*") || strings.Contains(frame.Function, "engine/moby.") {
				u.heap += record.InUseBytes()
				break
			}
			if !more {
				break
			}
		}
	}
	return u
}
