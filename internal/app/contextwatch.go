// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
)

// contextSettle is the wait after a change, as a program may write a file piece by
// piece.
const contextSettle = 200 * time.Millisecond

// contextWatch wakes a reconciler when another program changes the Docker
// contexts, and costs nothing while none does. It is a runnable of its manager.
type contextWatch struct {
	instance *instance.Instance
	dir      string // where the user's contexts are
	log      *slog.Logger

	waker background.Waker

	mu      sync.Mutex
	watcher *fsnotify.Watcher // guarded by mu; nil while it does not run
}

// newContextWatch returns nil where there is no instance, and so no context.
func newContextWatch(inst *instance.Instance, log *slog.Logger) (*contextWatch, error) {
	if inst == nil {
		return nil, nil
	}
	dir, err := dockercontext.Dir(os.Getenv)
	return &contextWatch{instance: inst, dir: dir, log: log}, err
}

// Start implements manager.Runnable.
func (w *contextWatch) Start(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		// Such as too many of them on the machine: that is worth no end.
		w.log.Warn("changes of Docker's contexts by other programs can't be followed", "error", err)
		return nil
	}
	defer func() { _ = watcher.Close() }()
	w.set(watcher)
	defer w.set(nil)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors: // such as a lost event: all is looked at
			w.log.Debug("following Docker's contexts failed", "error", err)
		case _, open := <-watcher.Events:
			if !open {
				return nil
			}
		}
		w.wake()
	}
}

// set takes a watcher, and wakes the reconciler, which says what to watch.
func (w *contextWatch) set(watcher *fsnotify.Watcher) {
	w.mu.Lock()
	w.watcher = watcher
	w.mu.Unlock()
	if watcher != nil {
		w.wake()
	}
}

func (w *contextWatch) wake() {
	w.waker.WakeAfter(reconcile.Request{NamespacedName: client.ObjectKey{Name: appv1alpha1.AppName}}, contextSettle)
}

// observe looks at the contexts of an App that has one, and has changes of them
// watched from before that look on.
func (w *contextWatch) observe(app *appv1alpha1.App) *diagnostics.Contexts {
	if w == nil || app == nil || app.Status.DockerContext == "" {
		return nil
	}
	name := w.instance.ContextName()
	look := func() dockercontext.Observation {
		return dockercontext.Observe(w.dir, name, w.instance.ContextMemory())
	}
	w.mu.Lock()
	if w.watcher != nil {
		for _, dir := range look().Places(name) {
			_ = w.watcher.Add(dir) // it is there already, or has gone: that is seen
		}
	}
	w.mu.Unlock()
	seen := look()
	return &diagnostics.Contexts{Host: seen.Host, Current: seen.Current, Chosen: seen.Chosen}
}
