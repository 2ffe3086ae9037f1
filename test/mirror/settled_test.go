// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

const (
	// points is at how many moments of the controllers' work the spec is changed:
	// before and after each request to the API server, until there are none left.
	points = 60
	// stride is how many of them are left out each time, but where all are asked
	// for.
	stride = 4
)

// TestSettledUnderAttack changes what is wanted at every moment of the
// controllers' work, or each few of them. Settled is never said of a generation that is not true at
// that moment: what the App's controller writes is compared with the engines
// before it learns that it is written, and so before it goes on.
func TestSettledUnderAttack(t *testing.T) {
	t.Parallel()
	runScenarios(t, func(*testing.T) machine { return nil }, points, stride, []scenario{
		{"stopped while it starts", []desired{{running: false}, {running: true}, {running: false}}},
		{"started while it stops", []desired{{running: true}, {running: false}, {running: true}}},
		{"stopped while it moves", []desired{{running: true}, {running: true, engine: 1}, {running: false, engine: 1}}},
		{"moved back while it moves", []desired{{running: true}, {running: true, engine: 1}, {running: true}}},
	})
}

// scenario has three steps: the first is fulfilled before the second is asked for;
// the third is asked for in the midst of that.
type scenario struct {
	name  string
	steps []desired
}

// runScenarios asks for the last steps of the scenarios at every moment, or each
// few of them. Each has an attack, and a machine, of its own.
func runScenarios(t *testing.T, newMachine func(*testing.T) machine, points, stride int, scenarios []scenario) {
	t.Helper()
	step := stride
	if testing.Short() {
		step *= 4
	}
	if os.Getenv("RDD_TEST_ROUNDS") == "all" {
		step = 1
	}
	for _, scenario := range scenarios {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			a := newAttack(t, newMachine(t))
			defer a.compared(t)
			for point := rand.IntN(step); point < points; point += step {
				a.settle(t, a.ask(scenario.steps[0]))
				a.arm(point, scenario.steps[2])
				a.ask(scenario.steps[1])
				last, hit := a.disarm(t)
				a.settle(t, last)
				if !hit {
					t.Logf("there are at most %d points", point)
					return
				}
			}
			t.Logf("%d points, and there are more", points)
		})
	}
}

// compared fails where nothing was.
func (a *attack) compared(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	t.Logf("Settled was said %d times", a.said)
	if a.said == 0 {
		t.Error("nothing was compared")
	}
}

// desired is a desired state of the App.
type desired struct {
	running bool
	engine  int
	// cpus of the virtual machine, where the engine is in one.
	cpus int32
}

// attack stands between the controllers and the API server.
type attack struct {
	*env
	engines [2]*fakedocker.Server
	// machine is the virtual machine that the second engine is in; nil for none.
	machine    machine
	containers [2][]string

	mu     sync.Mutex
	states map[int64]desired // guarded by mu; by generation
	left   int               // guarded by mu; moments until the next change; negative: never
	next   desired           // guarded by mu
	hit    chan int64        // guarded by mu; gets the generation of next
	said   int               // guarded by mu; how often Settled was said and compared
}

// machine is a virtual machine that an engine is in.
type machine interface {
	// hold has an engine run in it.
	hold(engine *fakedocker.Server)
	// of returns the instance that it is of, and the controller that makes it.
	of() (*instance.Instance, manager.Controller)
	// compare compares it with what is wanted.
	compare(t *testing.T, w desired)
}

func newAttack(t *testing.T, m machine) *attack {
	a := &attack{machine: m, states: map[int64]desired{}, left: -1}
	for i := range a.engines {
		engine, docker := newFake(t, fakedocker.Config{})
		a.engines[i] = engine.Server
		a.containers[i] = engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, NamePrefix: fmt.Sprint("engine", i, "-"), Running: true})
		slices.Sort(a.containers[i])
		if i == 0 {
			a.env = prepareEnv(t, docker, engine.Endpoint(), func(config *rest.Config) { config.Wrap(a.wrap) })
		}
	}
	if m != nil {
		m.hold(a.engines[1])
		inst, controller := m.of()
		a.env.machines, a.env.instance = &controller, inst
	}
	a.env.begin()
	return a
}

// endpoint returns the endpoint of an engine for the App.
func (a *attack) endpoint(engine int) string {
	if a.machine != nil && engine == 1 {
		return ""
	}
	return a.engines[engine].Endpoint()
}

// ask changes the App, and returns its generation then.
func (a *attack) ask(w desired) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.askLocked(w)
}

func (a *attack) askLocked(w desired) int64 {
	app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: appv1alpha1.AppName}}
	spec := fmt.Sprintf(`{"spec":{"running":%t,"containerEngine":{"endpoint":%q},"virtualMachine":{"cpus":%d}}}`,
		w.running, a.endpoint(w.engine), max(w.cpus, 1))
	err := a.kube.Patch(a.t.Context(), app, ctrlclient.RawPatch("application/merge-patch+json", []byte(spec)))
	if apierrors.IsNotFound(err) {
		app.Spec.Running, app.Spec.ContainerEngine.Endpoint = w.running, a.endpoint(w.engine)
		app.Spec.VirtualMachine.CPUs = max(w.cpus, 1)
		err = a.kube.Create(a.t.Context(), app)
	}
	if err != nil {
		a.t.Error(err)
	}
	a.states[app.Generation] = w
	return app.Generation
}

// arm schedules a change after that many moments.
func (a *attack) arm(moments int, w desired) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left, a.next, a.hit = moments, w, make(chan int64, 1)
}

// disarm waits until the change was made, or all is settled without it, and
// returns the newest generation.
func (a *attack) disarm(t *testing.T) (newest int64, hit bool) {
	t.Helper()
	a.mu.Lock()
	asked := a.hit
	for newest = range a.states {
		break
	}
	for generation := range a.states {
		newest = max(newest, generation)
	}
	a.mu.Unlock()
	a.eventually("the change is made, or nothing is left to disturb", func() (bool, string) {
		select {
		case newest = <-asked:
			hit = true
			return true, ""
		default:
		}
		settled, state := a.settled(newest)
		return settled, state
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = -1
	select {
	case newest = <-asked: // in the last moment
		hit = true
	default:
	}
	return newest, hit
}

// settled reports whether the App says so of the generation, which must be its
// newest.
func (a *attack) settled(generation int64) (bool, string) {
	app := &appv1alpha1.App{}
	if err := a.kube.Get(a.t.Context(), ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, app); err != nil {
		return false, err.Error()
	}
	condition := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	return condition != nil && condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == generation,
		fmt.Sprint(generation, app.Generation, condition)
}

func (a *attack) settle(t *testing.T, generation int64) {
	t.Helper()
	a.eventually("it is settled", func() (bool, string) { return a.settled(generation) })
}

func (a *attack) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		path := request.URL.Path
		if request.URL.Query().Has("watch") && strings.HasSuffix(path, "/containerengines") {
			response, err := next.RoundTrip(request)
			if err == nil {
				response.Body = late{response.Body}
			}
			return response, err
		}
		if request.URL.Query().Has("watch") || !strings.Contains(path, "/apps") && !strings.Contains(path, "/containerengines") &&
			!strings.Contains(path, "/limavms") && !strings.Contains(path, "/configmaps") {
			return next.RoundTrip(request)
		}
		a.moment()
		response, err := next.RoundTrip(request)
		if err == nil && request.Method == http.MethodPatch && strings.HasSuffix(path, "/apps/app/status") {
			err = a.compare(response)
		}
		a.moment()
		return response, err
	})
}

// lag is how much later than others the controllers see what becomes of a
// ContainerEngine: who trusts his cache is wrong then.
const lag = 30 * time.Millisecond

// late is a watch that lags behind.
type late struct{ io.ReadCloser }

func (l late) Read(b []byte) (int, error) {
	n, err := l.ReadCloser.Read(b)
	time.Sleep(lag)
	return n, err
}

// moment is one at which the spec may change.
func (a *attack) moment() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == 0 {
		a.hit <- a.askLocked(a.next)
	}
	a.left = max(-1, a.left-1)
}

// compare compares what was written of the App with the engines.
func (a *attack) compare(response *http.Response) error {
	data, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(data))
	var app appv1alpha1.App
	if err != nil || response.StatusCode != http.StatusOK {
		return err
	}
	if err := json.Unmarshal(data, &app); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, condition := range app.Status.Conditions {
		if condition.Status != metav1.ConditionTrue {
			continue
		}
		w, ok := a.states[condition.ObservedGeneration]
		switch {
		case condition.Type == appv1alpha1.ConditionSettled && (!ok || app.Status.ObservedGeneration != condition.ObservedGeneration):
			a.t.Errorf("Settled of a generation that was not asked for, or not acted on: %+v", app.Status)
		case condition.Type == appv1alpha1.ConditionSettled:
			a.said++
			a.compareDesired(condition.Type, w)
		case condition.ObservedGeneration < app.Status.ObservedGeneration:
			// It is what was said of an earlier one.
		case condition.Type == appv1alpha1.ConditionContainerEngineReady && ok && w.running:
			a.compareDesired(condition.Type, w)
		}
	}
	return nil
}

// compareDesired compares the engines and the mirrors with what is wanted.
func (a *attack) compareDesired(said string, w desired) {
	var list containersv1alpha1.ContainerList
	if err := a.kube.List(a.t.Context(), &list); err != nil {
		if a.t.Context().Err() == nil { // the watch outlives the test by a moment
			a.t.Error(err)
		}
		return
	}
	var mirrored, want []string
	for i := range list.Items {
		mirrored = append(mirrored, list.Items[i].Name)
	}
	slices.Sort(mirrored)
	if a.machine != nil && said == appv1alpha1.ConditionSettled {
		a.machine.compare(a.t, w)
	}
	streams := [2]int{}
	if w.running {
		want, streams[w.engine] = a.containers[w.engine], 1
	}
	if !slices.Equal(mirrored, want) {
		a.t.Errorf("%s is said of %+v, and there are the mirrors %v, want %v", said, w, mirrored, want)
	}
	for i, engine := range a.engines {
		for end := time.Now().Add(5 * time.Second); engine.Streams() > streams[i] && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // the engine learns of the end of a connection a moment later
		}
		if got := engine.Streams(); got != streams[i] {
			a.t.Errorf("%s is said of %+v, and engine %d has %d streams, want %d", said, w, i, got, streams[i])
		}
	}
}
