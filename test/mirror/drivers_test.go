// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
)

const boxes containersv1alpha1.EngineType = "boxes"

// boxEngine is an engine of a type that RDD does not have: it keeps containers in memory.
type boxEngine struct {
	mu     sync.Mutex
	boxes  map[string]containersv1alpha1.Phase // guarded by mu
	events chan engine.Event
	closed chan struct{}
	close  func()
}

func newBoxEngine() *boxEngine {
	e := &boxEngine{boxes: map[string]containersv1alpha1.Phase{}, events: make(chan engine.Event, 10), closed: make(chan struct{})}
	e.close = sync.OnceFunc(func() { close(e.closed) })
	return e
}

func boxKey(id string) engine.Key { return engine.Key{Kind: engine.KindContainer, ID: id} }

// put makes a container and sends an event, if there is one.
func (e *boxEngine) put(id string, event engine.Event) {
	e.mu.Lock()
	e.boxes[id] = containersv1alpha1.PhaseRunning
	e.mu.Unlock()
	event.At = time.Now()
	e.events <- event
}

func (e *boxEngine) phase(id string) containersv1alpha1.Phase {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.boxes[id]
}

func (e *boxEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{ID: "the boxes", Version: "1", Clock: time.Now()}, nil
}

func (e *boxEngine) Watch(ctx context.Context, _ time.Time, ready func(), sink func(engine.Event)) error {
	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.closed:
			return context.Canceled
		case event := <-e.events:
			sink(event)
		}
	}
}

func (e *boxEngine) List(_ context.Context, kind engine.Kind) ([]engine.Item, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var items []engine.Item
	if kind == engine.KindContainer {
		for id := range e.boxes {
			items = append(items, engine.Item{Key: boxKey(id), Current: func(engine.Object, time.Time) bool { return false }})
		}
	}
	return items, nil
}

func (e *boxEngine) Inspect(_ context.Context, key engine.Key) (engine.Object, error) {
	phase := e.phase(key.ID)
	if key.Kind != engine.KindContainer || phase == "" {
		return engine.Object{}, engine.ErrNotFound
	}
	return engine.Object{Key: key, Container: &containersv1alpha1.ContainerStatus{Name: "box-" + key.ID[:4], Status: phase}}, nil
}

func (e *boxEngine) Remove(_ context.Context, key engine.Key, _ engine.RemoveOptions) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.boxes, key.ID)
	return nil
}

func (e *boxEngine) Act(_ context.Context, key engine.Key, action containersv1alpha1.Action) error {
	if action != containersv1alpha1.ActionStop {
		return engine.ErrRefused
	}
	e.mu.Lock()
	e.boxes[key.ID] = containersv1alpha1.PhaseExited
	e.mu.Unlock()
	e.events <- engine.Event{Key: key, At: time.Now()}
	return nil
}

func (e *boxEngine) Close() error {
	e.close()
	return nil
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) count(words string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), words)
}

func (e *env) hasContainer(id string) (bool, string) {
	var c containersv1alpha1.Container
	err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: id}, &c)
	return err == nil, "no mirror of " + id
}

// TestNewEngineType: a driver in the registry is all that another type of engine needs
// to be accepted by the API server, mirrored and acted on.
func TestNewEngineType(t *testing.T) {
	t.Parallel()
	fake := newBoxEngine()
	e := prepareEnv(t, nil, "anything:at all", func(*rest.Config) {})
	e.engineType = boxes
	log := &lockedBuffer{}
	e.log = slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})
	e.drivers = open.Drivers().With(engine.Driver{
		Traits: engine.Traits{Type: boxes},
		Open: func(spec containersv1alpha1.ContainerEngineSpec, _ engine.Secret) (engine.Engine, error) {
			if spec.Type != boxes || spec.Endpoint != e.endpoint {
				t.Errorf("the driver is to open %+v", spec)
			}
			return fake, nil
		},
	})
	e.begin()
	first, second, third := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	fake.boxes[first] = containersv1alpha1.PhaseRunning
	e.connect("boxes")
	e.eventually("what was there is mirrored", func() (bool, string) { return e.hasContainer(first) })

	fake.put(second, engine.Event{Key: engine.Key{Kind: engine.KindContainer}, Lost: context.DeadlineExceeded})
	e.eventually("an event that can't be read has its kind compared", func() (bool, string) { return e.hasContainer(second) })
	fake.put(third, engine.Event{Lost: context.DeadlineExceeded})
	e.eventually("one of no known kind has all compared", func() (bool, string) { return e.hasContainer(third) })
	if n := log.count("can't be decoded"); n != 1 {
		t.Errorf("%d warnings about events that can't be decoded, want 1 for now", n)
	}

	stop := containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: first}}
	e.must(e.kube.Patch(t.Context(), &stop, ctrlclient.RawPatch("application/merge-patch+json", []byte(`{"spec": {"state": "exited"}}`))))
	e.eventually("the engine stops a container", func() (bool, string) {
		e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(&stop), &stop))
		return fake.phase(first) == containersv1alpha1.PhaseExited && stop.Status.Status == containersv1alpha1.PhaseExited, string(stop.Status.Status)
	})
	e.must(e.kube.Delete(t.Context(), &stop))
	e.eventually("the engine removes a container", func() (bool, string) { return fake.phase(first) == "", "" })

	unknown := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "unknown", Namespace: namespace}}
	unknown.Spec = containersv1alpha1.ContainerEngineSpec{Type: "crates", Endpoint: "unix:///a"}
	if err := e.kube.Create(t.Context(), unknown); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), `"boxes"`) {
		t.Errorf("a type without a driver: %v", err)
	}
}
