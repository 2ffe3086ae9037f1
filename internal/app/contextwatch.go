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

// contextSettle is the delay after a change: a program may write a file in several
// steps.
const contextSettle = 200 * time.Millisecond

// contextWatch wakes a reconciler when another program changes the Docker contexts. It
// uses no time while they are unchanged. It is a runnable of its manager.
type contextWatch struct {
	instance *instance.Instance
	dir      string // the directory of the user's contexts
	log      *slog.Logger

	waker background.Waker

	mu      sync.Mutex
	watcher *fsnotify.Watcher // guarded by mu; nil while it is not running
}

// newContextWatch returns nil if there is no instance, and so no context.
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
		// For example, the machine has too many watchers: the controller works without.
		w.log.Warn("watching the Docker contexts failed: changes by other programs are not noticed", "error", err)
		return nil
	}
	defer func() { _ = watcher.Close() }()
	w.set(watcher)
	defer w.set(nil)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors: // such as a lost event: read everything again
			w.log.Debug("an event of the Docker contexts was lost", "error", err)
		case _, open := <-watcher.Events:
			if !open {
				return nil
			}
		}
		w.wake()
	}
}

// set sets the watcher, and wakes the reconciler, which adds the directories.
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

// observe returns the state of the Docker contexts if the App has one. It watches the
// directories before it reads them, so that it misses no change.
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
			_ = w.watcher.Add(dir) // it is already watched, or deleted: the next read shows that
		}
	}
	w.mu.Unlock()
	found := look()
	return &diagnostics.Contexts{Host: found.Host, Current: found.Current, Chosen: found.Chosen}
}
