// SPDX-License-Identifier: Apache-2.0

package mirrored_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/hostile"
)

const (
	// allEnv has all answers given to all requests, instead of the main ones.
	allEnv = "RDD_HOSTILE_ALL"

	// truthLimit is how long the status may take to report that something is wrong:
	// five seconds, and what a busy machine takes.
	truthLimit = 15 * time.Second
	// healLimit is how long the mirrors may take to equal the engine again: the
	// longest pause between two attempts to connect, and what a busy machine takes.
	healLimit = 40 * time.Second
	// healthyLimit is how late a change of the healthy engine may be mirrored.
	healthyLimit = 5 * time.Second
	// latencyLimit is how long the API server may take to answer.
	latencyLimit = time.Second
	// heapLimit is for the whole process, with the simulated engines.
	heapLimit = 400 << 20
)

// laneSpec is what an engine of its own is attacked with.
type laneSpec struct {
	name    string
	surface string
	// main are the answers that it gives, where not all are given: of each sort some,
	// and those that are the worst for what is asked.
	main []string
}

func dockerLanes() []laneSpec {
	return []laneSpec{
		{"containers", hostile.ListContainers, []string{"Null", "Half", "EndlessList", "Silence", "IDTwice"}},
		{"images", hostile.ListImages, []string{"Empty", "EndlessText", "LargestNumber", "TerminalError"}},
		{"volumes", hostile.ListVolumes, []string{"HTML", "SlowBody", "IDControl", "HangUp"}},
		{"inspects", hostile.InspectContainer, []string{"IDEmpty", "Silence", "Null", "Year10000", "EndlessText"}},
		{"events", hostile.Events, []string{"Year10000", "EndlessText", "IDControl", "HangUp"}},
		{"info", hostile.Info, []string{"Null", "Silence", "InvalidText"}},
		{"ping", hostile.Ping, []string{"HangUp", "EndlessText"}},
		{"imageinspects", hostile.InspectImage, []string{"IDEmpty", "LargestNumber"}},
		{"volumeinspects", hostile.InspectVolume, []string{"IDControl", "HTML"}},
	}
}

func containerdLanes() []laneSpec {
	return []laneSpec{
		{"ctr-containers", hostile.Containers, []string{"Null", "Silence", "EndlessMessage", "TextEmpty"}},
		{"ctr-inspects", hostile.GetContainer, []string{"TextControl", "LongError", "Silence"}},
		{"ctr-images", hostile.Images, []string{"LargestNumber", "ServerError", "HangUp"}},
		{"ctr-events", hostile.Subscribe, []string{"EndlessMessages", "Unavailable", "Silence"}},
		{"ctr-server", hostile.Server, []string{"Null", "TextEmpty", "HangUp"}},
	}
}

// lane is an engine that is attacked, and what attacks it.
type lane struct {
	name    string
	proxy   *hostile.Proxy
	kube    ctrlclient.Client
	engine  *docker // nil for containerd
	surface string
	answers []hostile.Answer
}

// TestHostile attacks some engines at the same time, each in one way after the
// other. Whatever comes, the status of each tells the truth, nothing that was
// mirrored goes, and all heals; the healthy engine's mirrors stay current, the API
// server answers, and the memory has a limit.
func TestHostile(t *testing.T) {
	kube := startPlane(t)
	healthy := startDocker(t)
	connect(t, kube, "healthy", containersv1alpha1.EngineMoby, healthy.Endpoint())
	var lanes []*lane
	for _, spec := range dockerLanes() {
		engine := startDocker(t)
		l := &lane{name: spec.name, kube: kube, engine: &engine, surface: spec.surface, answers: spec.answers(t, hostile.DockerAnswers())}
		l.proxy = hostile.Start(t, hostile.Pass(t, engine.Endpoint(), false), false)
		connect(t, kube, l.name, containersv1alpha1.EngineMoby, l.proxy.Endpoint())
		lanes = append(lanes, l)
	}
	for _, spec := range containerdLanes() {
		l := &lane{name: spec.name, kube: kube, surface: spec.surface, answers: spec.answers(t, hostile.ContainerdAnswers())}
		l.proxy = hostile.Start(t, hostile.Containerd(), true)
		connect(t, kube, l.name, containersv1alpha1.EngineContainerd, l.proxy.Endpoint())
		lanes = append(lanes, l)
	}
	for _, l := range lanes {
		if err := l.healed(t.Context(), patience); err != nil {
			t.Fatalf("%s before all attacks: %v", l.name, err)
		}
	}
	w := watchHealth(t, kube, healthy)
	var attacks sync.WaitGroup
	for _, l := range lanes {
		attacks.Go(func() { l.run(t, w) })
	}
	attacks.Wait()
	w.end(t)
}

// answers returns the answers that are given: the main ones, or all.
func (spec laneSpec) answers(t *testing.T, all []hostile.Answer) []hostile.Answer {
	t.Helper()
	if os.Getenv(allEnv) != "" {
		return all
	}
	picked := slices.DeleteFunc(slices.Clone(all), func(a hostile.Answer) bool { return !slices.Contains(spec.main, a.Name) })
	if len(picked) != len(spec.main) {
		t.Fatalf("%s: of the answers %q there are only %d", spec.name, spec.main, len(picked))
	}
	return picked
}

func (l *lane) run(t *testing.T, w *health) {
	for _, answer := range l.answers {
		if t.Context().Err() != nil {
			return
		}
		began := time.Now()
		if err := l.attack(t.Context(), l.surface, answer); err != nil {
			t.Errorf("%s: %s answers %s: %v", l.name, l.surface, answer.Name, err)
		}
		w.note(fmt.Sprintf("%s: %s %s", l.name, l.surface, answer.Name), time.Since(began))
	}
}

// attack has a surface answer so until the status is right, and waits until all is
// well again.
func (l *lane) attack(ctx context.Context, surface string, answer hostile.Answer) error {
	before, err := mirrors(ctx, l.kube, l.name)
	if err != nil {
		return err
	}
	l.proxy.Attack(surface, answer)
	l.proxy.Cut()
	var created string
	if l.engine != nil { // so that something is inspected, too
		if created, err = l.engine.create(ctx, "during"); err != nil {
			return err
		}
	}
	// What it asks for it may ask for only after a pause.
	if err := eventually(ctx, healLimit, func() (bool, string) { return l.proxy.Served() > 0, "nothing was asked for" }); err != nil {
		return err
	}
	failed := eventually(ctx, truthLimit, func() (bool, string) { return l.truth(ctx) })
	if failed != nil {
		failed = fmt.Errorf("the status is not true: %w", failed)
	} else if after, err := mirrors(ctx, l.kube, l.name); err != nil {
		failed = err
	} else {
		failed = lost(before, after)
	}
	l.proxy.Lift()
	if l.engine != nil {
		if err := l.engine.remove(ctx, created); err != nil {
			return err
		}
	}
	if err := l.healed(ctx, healLimit); err != nil && failed == nil {
		failed = fmt.Errorf("it does not heal: %w", err)
	}
	after, err := mirrors(ctx, l.kube, l.name)
	if err == nil && failed == nil {
		failed = lost(before, after)
	}
	return failed
}

// lost returns an error that names mirrors that are gone, or are others.
func lost(before, after map[string]string) error {
	for key, uid := range before {
		if after[key] != uid {
			return fmt.Errorf("the mirror of %s was lost: it had the UID %s and has %q", key, uid, after[key])
		}
	}
	return nil
}

// truth reports whether the status says that something is wrong, or all is right.
func (l *lane) truth(ctx context.Context) (bool, string) {
	r, err := reportOf(ctx, l.kube, l.name)
	if err != nil {
		return false, err.Error()
	}
	if r.ready == nil || (!r.well() && r.ready.Message == "" && r.complete == nil) {
		return false, "no condition"
	}
	return !r.well() || l.equal(ctx) == nil, fmt.Sprintf("%v, but %v", r, l.equal(ctx))
}

// healed waits until the status says that all is well, and it is.
func (l *lane) healed(ctx context.Context, limit time.Duration) error {
	return eventually(ctx, limit, func() (bool, string) {
		r, err := reportOf(ctx, l.kube, l.name)
		if err != nil {
			return false, err.Error()
		}
		if err := l.equal(ctx); err != nil {
			return false, fmt.Sprintf("%v: %v", r, err)
		}
		return r.well(), r.String()
	})
}

// equal compares the mirrors and the counts of the status with the engine.
func (l *lane) equal(ctx context.Context) error {
	want := map[string]int{"container": 2, "image": 1, "volume": 0} // the simulated containerd
	if l.engine != nil {
		counts := l.engine.Counts()
		want = map[string]int{"container": counts.Containers, "image": 1, "volume": 1}
	}
	all, err := mirrors(ctx, l.kube, l.name)
	if err != nil {
		return err
	}
	have := map[string]int{"container": 0, "image": 0, "volume": 0}
	for key := range all {
		for kind := range have {
			if len(key) > len(kind) && key[:len(kind)] == kind {
				have[kind]++
			}
		}
	}
	if !maps.Equal(want, have) {
		return fmt.Errorf("the engine has %v, mirrored are %v", want, have)
	}
	r, err := reportOf(ctx, l.kube, l.name)
	if err != nil {
		return err
	}
	reported := map[string]int{"container": int(r.status.Containers), "image": int(r.status.Images), "volume": int(r.status.Volumes)}
	if !maps.Equal(want, reported) {
		return fmt.Errorf("the engine has %v, the status has %v", want, reported)
	}
	return nil
}

// health watches what must stay well during the attacks.
type health struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	slow     []time.Duration // guarded by mu; answers of the API server over the limit
	answers  int             // guarded by mu
	latency  time.Duration   // guarded by mu; the longest
	late     time.Duration   // guarded by mu; the longest until something was mirrored
	heap     uint64          // guarded by mu; the most
	failures []error         // guarded by mu
	attacks  int             // guarded by mu
	longest  time.Duration   // guarded by mu; of an attack
	which    string          // guarded by mu; the attack that took longest
}

func watchHealth(t *testing.T, kube ctrlclient.Client, healthy docker) *health {
	ctx, cancel := context.WithCancel(t.Context())
	w := &health{cancel: cancel}
	w.every(ctx, 50*time.Millisecond, func() error {
		began := time.Now()
		_, err := reportOf(ctx, kube, "healthy")
		took := time.Since(began)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answers++
		if w.latency = max(w.latency, took); took > latencyLimit {
			w.slow = append(w.slow, took)
		}
		return err
	})
	w.every(ctx, 100*time.Millisecond, func() error {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heap = max(w.heap, stats.HeapInuse)
		return nil
	})
	w.every(ctx, 250*time.Millisecond, func() error {
		id, err := healthy.create(ctx, "watched")
		if err != nil {
			return err
		}
		is := func(there bool) error {
			began := time.Now()
			err := eventually(ctx, patience, func() (bool, string) {
				err := kube.Get(ctx, ctrlclient.ObjectKey{Namespace: namespace, Name: id}, &containersv1alpha1.Container{})
				return (err == nil) == there, fmt.Sprint(err)
			})
			w.mu.Lock()
			defer w.mu.Unlock()
			w.late = max(w.late, time.Since(began))
			return err
		}
		if err := is(true); err != nil {
			return fmt.Errorf("a new container of the healthy engine is not mirrored: %w", err)
		}
		if err := healthy.remove(ctx, id); err != nil {
			return err
		}
		if err := is(false); err != nil {
			return fmt.Errorf("a container of the healthy engine that was removed is mirrored: %w", err)
		}
		return nil
	})
	return w
}

// every does something again and again until the end.
func (w *health) every(ctx context.Context, pause time.Duration, do func() error) {
	w.running.Go(func() {
		for {
			if err := do(); err != nil && ctx.Err() == nil {
				w.mu.Lock()
				w.failures = append(w.failures, err)
				w.mu.Unlock()
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	})
}

func (w *health) note(attack string, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.attacks++; took > w.longest {
		w.longest, w.which = took, attack
	}
}

func (w *health) end(t *testing.T) {
	t.Helper()
	w.cancel()
	w.running.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("%d attacks, the longest %v (%s); %d answers of the API server, the slowest %v; the healthy engine was mirrored within %v; %d MiB of heap",
		w.attacks, w.longest, w.which, w.answers, w.latency, w.late, w.heap>>20)
	for _, err := range w.failures {
		t.Error(err)
	}
	// On a machine that does other things too, one answer in a hundred may be late.
	if len(w.slow)*100 > w.answers {
		t.Errorf("%d of %d answers of the API server took longer than %v: %v", len(w.slow), w.answers, latencyLimit, w.slow)
	}
	if w.late > healthyLimit {
		t.Errorf("a change of the healthy engine was mirrored after %v", w.late)
	}
	if w.heap > heapLimit {
		t.Errorf("the heap had %d MiB", w.heap>>20)
	}
}
