// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// blocking opens engines, and blocks as open(2) of a FIFO does: whatever the
// caller's context says.
type blocking struct {
	release chan struct{}
	// unblock ends all blocking.
	unblock func()
	// inOpen blocks the opening; else every call of the open engine blocks.
	inOpen bool

	mu     sync.Mutex
	open   int // guarded by mu; engines that are open
	opened int // guarded by mu; calls of open that returned
}

const blockedEndpoint = "file:///blocked"

func (b *blocking) Open(spec containersv1alpha1.ContainerEngineSpec, secret engine.Secret) (engine.Engine, error) {
	if spec.Endpoint != blockedEndpoint {
		return open.Drivers().Open(spec, secret)
	}
	if b.inOpen {
		<-b.release
	}
	b.count(1)
	return &blockedEngine{blocking: b}, nil
}

func (b *blocking) count(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open += n
	b.opened += max(n, 0)
}

// left returns how many engines were opened, and how many of them are open.
func (b *blocking) left() (opened, open int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened, b.open
}

// blockedEngine is an engine all of whose calls block, but for Close.
type blockedEngine struct {
	engine.Engine
	*blocking
}

func (e *blockedEngine) Info(ctx context.Context) (engine.Info, error) {
	<-e.release
	return engine.Info{}, context.Cause(ctx)
}

func (e *blockedEngine) Close() error {
	e.count(-1)
	return nil
}

// newBlocked starts an environment with a healthy engine, and a ContainerEngine
// whose engine blocks.
func newBlocked(t *testing.T, inOpen bool) (*env, *blocking, *containersv1alpha1.ContainerEngine) {
	t.Helper()
	healthy, docker := newFake(t, fakedocker.Config{})
	healthy.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	b := &blocking{release: make(chan struct{}), inOpen: inOpen}
	b.unblock = sync.OnceFunc(func() { close(b.release) })
	e := prepareEnv(t, docker, healthy.Endpoint(), func(*rest.Config) {})
	e.drivers = open.Drivers().With(engine.Driver{Traits: traits.Simulated(), Open: b.Open})
	e.begin()
	t.Cleanup(b.unblock) // before the manager ends
	ce := e.createWith("blocked", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.Type, spec.Endpoint = containersv1alpha1.EngineSimulated, blockedEndpoint
	})
	return e, b, ce
}

// within fails where do takes longer than the limit. It does not wait for do then.
func within(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	start := time.Now()
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
		t.Logf("%s took %s", what, time.Since(start).Round(time.Millisecond))
	case <-time.After(limit):
		t.Fatalf("%s took more than %s", what, limit)
	}
}

// TestBlockedEngine: an engine whose opening or whose calls never return delays
// no other one, can be deleted, and keeps the manager from ending for a few
// seconds only.
func TestBlockedEngine(t *testing.T) {
	t.Parallel()
	for name, inOpen := range map[string]bool{"open": true, "call": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, b, ce := newBlocked(t, inOpen)
			e.waitReason(ce, containersv1alpha1.ReasonConnecting)
			within(t, 20*time.Second, "connecting to the healthy engine", func() { e.connect("moby") })
			e.must(e.kube.Delete(t.Context(), ce))
			within(t, 20*time.Second, "deleting the blocked one", func() { e.waitGone(ce) })

			again := e.createWith("again", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) {
				spec.Type, spec.Endpoint = containersv1alpha1.EngineSimulated, blockedEndpoint
			})
			e.waitReason(again, containersv1alpha1.ReasonConnecting)
			within(t, 15*time.Second, "ending the manager", e.stopManager)
			b.unblock()
			e.eventually("what was opened late is closed", func() (bool, string) {
				opened, open := b.left()
				return opened == 2 && open == 0, ""
			})
		})
	}
}

// TestSilentEngineStops: an engine that accepts and never answers is stopped at
// once, while an act and an inspect are waiting for it.
func TestSilentEngineStops(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	other, _ := newFake(t, fakedocker.Config{})
	neighbour := e.createWith("other", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = other.Endpoint() })
	e.waitReason(neighbour, containersv1alpha1.ReasonConnected)

	engine.HangRequests(true)
	defer engine.HangRequests(false)
	var list containersv1alpha1.ContainerList
	e.list(&list)
	c := &list.Items[0]
	before := c.DeepCopy()
	c.Annotations[containersv1alpha1.ActionAnnotation] = string(containersv1alpha1.ActionPause)
	e.must(e.kube.Patch(t.Context(), c, ctrlclient.MergeFrom(before)))
	engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	time.Sleep(200 * time.Millisecond) // for both to ask the engine

	within(t, 15*time.Second, "the stop", func() {
		e.setRunning(ce, false)
		e.waitReason(ce, containersv1alpha1.ReasonStopped)
	})
	if got := e.getEngine("other"); got.ResourceVersion != neighbour.ResourceVersion {
		t.Errorf("the neighbour was written to: %+v", got.Status)
	}
	e.setRunning(ce, true)
	e.waitReason(ce, containersv1alpha1.ReasonConnecting)
	within(t, 15*time.Second, "ending the manager", e.stopManager)
}
