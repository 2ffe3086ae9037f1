// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// random returns a source of random numbers for a test, and says how to have
// the same ones again.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("RDD_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("RDD_TEST_SEED: %v", err)
		}
	}
	t.Logf("RDD_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestNoActIsLostOrDoneTwice: the daemon is killed while acts are requested,
// again and again. Each that the API server took happens, and none but a restart
// happens twice.
func TestNoActIsLostOrDoneTwice(t *testing.T) {
	t.Parallel()
	engine, docker := startEngine(t, 0)
	all := rounds(t, 20, 4)
	containers := engine.AddContainers(rounds(t, 25, 10), fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	actThroughKills(t, dockerActs(t, engine.Endpoint(), docker), dockerPlans(containers), all)
}

// actedOn is an engine whose acts are counted.
type actedOn struct {
	settings []string // of the App
	left     func() []string
	counts   *eventCounts
}

func dockerActs(t *testing.T, endpoint string, docker *client.Client) actedOn {
	t.Helper()
	return actedOn{
		settings: []string{"containerEngine.endpoint=" + endpoint},
		left:     func() []string { return ids(t, docker) },
		counts:   countEvents(t, docker),
	}
}

func dockerPlans(containers []string) []*plan {
	var plans []*plan
	for _, id := range containers {
		plans = append(plans, newPlan(id, id))
	}
	return plans
}

// actThroughKills asks for so many acts on each container, that all run, of
// which the last is its removal, and compares what the engine did.
func actThroughKills(t *testing.T, engine actedOn, plans []*plan, acts int) {
	t.Helper()
	r := random(t)
	h := newHome(t)
	h.ok(append([]string{"set", "running=true"}, engine.settings...)...)
	asker := &asker{h: h}
	asker.connect()
	for step := 1; step <= acts; step++ {
		var asking sync.WaitGroup
		for _, p := range plans {
			p.next(r, step == acts)
			asking.Go(func() { asker.ask(p, step) })
		}
		process, err := os.FindProcess(h.pid())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond) // the moment of the kill is what is tested
		_ = process.Kill()
		h.kill()
		h.ok("service", "start")
		asker.connect()
		asking.Wait()
	}
	h.eventually("all is removed", func() (bool, string) {
		left := h.mirrored()
		return len(left) == 0, fmt.Sprintf("%v; the engine has %v", left, engine.left())
	})
	engine.counts.compare(t, plans)
}

// plan is the sequence of requests for a container.
type plan struct {
	id     string
	object string // the name of its Container
	// ends says that the engine tells of each end of a run, and of no restart: a
	// removal ends one too.
	ends  bool
	calm  bool // no restarts
	phase containersv1alpha1.Phase
	act   containersv1alpha1.Action         // empty for the removal
	state containersv1alpha1.ContainerState // empty for the annotation
	spec  containersv1alpha1.ContainerState // what was last asked for so
	want  map[string]int                    // how often the engine is to do something; restarts apart
}

func newPlan(id, object string) *plan {
	return &plan{id: id, object: object, phase: containersv1alpha1.PhaseRunning, want: map[string]int{}}
}

// next chooses what is asked for next: something that changes the container, by
// one of the two ways.
func (p *plan) next(r *rand.Rand, last bool) {
	p.act, p.state = "", ""
	if last {
		p.want["destroy"]++
		if p.ends && p.phase != containersv1alpha1.PhaseExited {
			p.want["stop"]++
		}
		return
	}
	possible := map[containersv1alpha1.Phase][]containersv1alpha1.Action{
		containersv1alpha1.PhaseRunning: {containersv1alpha1.ActionPause, containersv1alpha1.ActionStop, containersv1alpha1.ActionRestart},
		containersv1alpha1.PhasePaused:  {containersv1alpha1.ActionUnpause},
		containersv1alpha1.PhaseExited:  {containersv1alpha1.ActionStart},
	}[p.phase]
	if p.calm {
		possible = slices.DeleteFunc(possible, func(a containersv1alpha1.Action) bool { return a == containersv1alpha1.ActionRestart })
	}
	p.act = possible[r.IntN(len(possible))]
	if p.act != containersv1alpha1.ActionRestart {
		p.want[string(p.act)]++
	}
	switch p.act {
	case containersv1alpha1.ActionPause:
		p.phase, p.state = containersv1alpha1.PhasePaused, containersv1alpha1.StatePaused
	case containersv1alpha1.ActionStop:
		p.phase, p.state = containersv1alpha1.PhaseExited, containersv1alpha1.StateExited
	case containersv1alpha1.ActionStart, containersv1alpha1.ActionUnpause:
		p.phase, p.state = containersv1alpha1.PhaseRunning, containersv1alpha1.StateRunning
	}
	if p.state == "" || p.state == p.spec || r.IntN(2) == 0 {
		p.state = "" // by the annotation: an unchanged spec is no new request
		return
	}
	p.spec = p.state
}

// uncertain returns of what the engine may tell more often than it was asked for.
func (p *plan) uncertain() []string {
	var acts []string
	if p.ends && !p.calm {
		acts = append(acts, "start", "stop") // nothing tells the restarts' from others
	}
	if p.ends && p.phase == containersv1alpha1.PhasePaused {
		acts = append(acts, "unpause") // by its removal: some kernels end what is paused, others not before it goes on
	}
	return acts
}

// quickClient returns a client of the mirrors that asks as often as it likes.
func (h *home) quickClient() ctrlclient.WithWatch {
	h.t.Helper()
	scheme := runtime.NewScheme()
	err := containersv1alpha1.AddToScheme(scheme)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := ctrlclient.NewWithWatch(h.config(), ctrlclient.Options{Scheme: scheme})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// asker asks for acts through the API server, whether it is there or not.
type asker struct {
	h      *home
	client atomic.Pointer[ctrlclient.WithWatch] // of the daemon that was started last: its port may be another one
}

func (a *asker) connect() {
	c := a.h.quickClient()
	a.client.Store(&c)
}

// mark is an annotation with the step that was asked for last: it tells whether
// a request whose answer was lost had been taken.
const mark = "test/step"

// ask asks until the API server has taken it, once, and waits until it is done.
func (a *asker) ask(p *plan, step int) {
	m := &containersv1alpha1.Container{}
	m.Name, m.Namespace = p.object, namespace
	text := fmt.Sprintf(`{"metadata":{"annotations":{%q:"%d",%q:%q}}}`, mark, step, containersv1alpha1.ActionAnnotation, p.act)
	if p.state != "" {
		text = fmt.Sprintf(`{"metadata":{"annotations":{%q:"%d"}},"spec":{"state":%q}}`, mark, step, p.state)
	}
	asked := false
	state := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(a.h.t.Context(), 5*time.Second)
		client := *a.client.Load()
		err := client.Get(ctx, ctrlclient.ObjectKeyFromObject(m), m)
		switch {
		case apierrors.IsNotFound(err) && p.act == "":
			cancel()
			return
		case err != nil:
			state = err.Error()
		case p.act == "" && m.DeletionTimestamp == nil:
			_ = client.Delete(ctx, m)
		case p.act == "":
			state = "it is being deleted"
		case m.Annotations[mark] != strconv.Itoa(step):
			if asked {
				state = "the API server took it, and does not have it any longer"
				break
			}
			asked = client.Patch(ctx, m, ctrlclient.RawPatch(types.MergePatchType, []byte(text))) == nil
		default:
			last := m.Status.LastAction
			done := m.Annotations[containersv1alpha1.ActionAnnotation] == "" && (m.Spec.State == "" || m.Status.ObservedGeneration >= m.Generation)
			// Which act led to a state that is found as wanted is unknown.
			reported := last != nil && (last.Action == p.act || p.state != "" && last.Generation == m.Generation)
			if done && reported && last.State == containersv1alpha1.ActionSucceeded && m.Status.Status == p.phase {
				cancel()
				return
			}
			state = fmt.Sprintf("done %v, %+v, %s", done, last, m.Status.Status)
		}
		cancel()
	}
	a.h.t.Errorf("step %d, %q of %s by %q, was not done: %s", step, p.act, p.id, p.state, state)
}

// eventCounts counts what an engine does to each container.
type eventCounts struct {
	mu sync.Mutex
	by map[string]map[string]int // guarded by mu; by the container's ID and the action
}

// countEvents counts from now on.
func countEvents(t *testing.T, docker *client.Client) *eventCounts {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream := docker.Events(ctx, client.EventsListOptions{Filters: make(client.Filters).Add("type", string(events.ContainerEventType))})
	c := &eventCounts{by: map[string]map[string]int{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case message := <-stream.Messages:
				c.add(message.Actor.ID, string(message.Action))
			case err := <-stream.Err:
				if ctx.Err() == nil {
					t.Errorf("the test's own event stream broke: %v", err)
				}
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); reading.Wait() })
	return c
}

func (c *eventCounts) add(id, action string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[id] == nil {
		c.by[id] = map[string]int{}
	}
	c.by[id][action]++
}

// of returns the acts on a container. A restart is a stop and a start too, which
// are not counted as such.
func (c *eventCounts) of(id string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	maps.Copy(counts, c.by[id])
	counts["stop"] -= counts["restart"]
	counts["start"] -= counts["restart"]
	maps.DeleteFunc(counts, func(action string, n int) bool {
		return n == 0 || !slices.Contains([]string{"start", "stop", "pause", "unpause", "destroy"}, action)
	})
	return counts
}

func (c *eventCounts) compare(t *testing.T, plans []*plan) {
	t.Helper()
	total := 0
	for _, p := range plans {
		got := c.of(p.id)
		for _, act := range p.uncertain() {
			if got[act] > p.want[act] {
				got[act] = p.want[act]
			}
		}
		maps.DeleteFunc(got, func(_ string, n int) bool { return n == 0 })
		if !maps.Equal(got, p.want) {
			t.Errorf("%s: the engine did %v, and was asked for %v", p.id, got, p.want)
		}
		for _, n := range got {
			total += n
		}
	}
	t.Logf("%d acts, restarts apart, on %d containers", total, len(plans))
}
