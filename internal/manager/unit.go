// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
)

// ErrHeld is the error if another process runs a controller.
var ErrHeld = errors.New("already run by")

// unit is one controller in a manager: it waits for its lease, runs, and stops.
type unit struct {
	Controller
	manager   *Manager
	lease     *lease // nil for a kind without a controller, which may be in several processes
	endpoints map[string]http.Handler

	cancel context.CancelFunc
	done   chan struct{}
	// decided is called when the controller runs, or waits for another holder.
	decided func()
	settled chan struct{}

	// visitors are the active requests at the endpoints.
	visitors *visitors

	mu      sync.Mutex
	running bool // guarded by mu
}

func newUnit(m *Manager, controller Controller) *unit {
	u := &unit{
		Controller: controller,
		manager:    m,
		endpoints:  map[string]http.Handler{},
		done:       make(chan struct{}),
		settled:    make(chan struct{}),
		visitors:   newVisitors(),
	}
	u.decided = sync.OnceFunc(func() { close(u.settled) })
	return u
}

// start runs the controller until stop, or until it fails, which it reports to fail.
func (u *unit) start(fail func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	u.cancel = cancel
	go func() {
		defer close(u.done)
		defer u.decided()
		if err := u.run(ctx); err != nil && ctx.Err() == nil {
			fail(fmt.Errorf("controller %s: %w", u.Name, err))
		}
	}()
}

func (u *unit) run(ctx context.Context) (err error) {
	log := u.manager.Log.With("controller", u.Name)
	if u.lease != nil {
		err := u.lease.acquire(ctx, func(holder string) error {
			if u.manager.NoWait {
				return fmt.Errorf("%w %s", ErrHeld, holder)
			}
			log.Warn("another process runs this controller; waiting for it to exit", "holder", holder)
			u.decided()
			u.manager.waitsFor(u.Name, holder)
			return nil
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, u.manager.afterwards(u.lease.release)) }()
	}
	if u.manager.Before != nil {
		if err := u.manager.Before(ctx, u.Controller); err != nil {
			return err
		}
	}
	if u.manager.After != nil {
		defer func() {
			err = errors.Join(err, u.manager.afterwards(func(ctx context.Context) error { return u.manager.After(ctx, u.Controller) }))
		}()
	}
	scope := newScope(u.manager.inner)
	defer scope.end()
	if u.Setup != nil {
		host := Host{Manager: scope, Log: log, Metrics: u.manager.metrics, Instance: u.manager.Instance, endpoints: u.endpoints}
		if err := u.Setup(host); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
		for name, handler := range u.endpoints {
			u.endpoints[name] = u.visitors.attend(handler)
		}
	}
	return u.hold(ctx, scope)
}

// hold runs the controller's runnables while its lease is held.
func (u *unit) hold(ctx context.Context, scope *scope) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	if u.lease != nil {
		wg.Go(func() { lost <- u.lease.hold(ctx) })
	}
	scope.start()
	u.setRunning(true)
	u.decided()
	u.manager.tellChanged()
	defer u.manager.tellChanged()
	defer u.visitors.end(visitorsGrace)
	defer u.setRunning(false)
	select {
	case <-ctx.Done():
		return nil
	case err := <-lost:
		return err
	case err := <-scope.failed:
		return err
	}
}

func (u *unit) setRunning(running bool) {
	u.mu.Lock()
	u.running = running
	u.mu.Unlock()
}

func (u *unit) isRunning() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.running
}

// scope is a manager to which one controller adds its runnables, and which starts and
// stops them independently.
type scope struct {
	ctrl.Manager
	failed chan error // the error of the first runnable that failed

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	waiting []ctrlmanager.Runnable // guarded by mu; added before the start
	started bool                   // guarded by mu
	ended   bool                   // guarded by mu
}

func newScope(inner ctrl.Manager) *scope {
	s := &scope{Manager: inner, failed: make(chan error, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Add implements [ctrl.Manager].
func (s *scope) Add(runnable ctrlmanager.Runnable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return errors.New("the controller has stopped")
	case s.started:
		s.runLocked(runnable)
	default:
		s.waiting = append(s.waiting, runnable)
	}
	return nil
}

func (s *scope) runLocked(runnable ctrlmanager.Runnable) {
	s.wg.Go(func() {
		err := runnable.Start(s.ctx)
		if err == nil || s.ctx.Err() != nil {
			return
		}
		select {
		case s.failed <- err:
		default:
		}
	})
}

func (s *scope) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
	for _, runnable := range s.waiting {
		s.runLocked(runnable)
	}
	s.waiting = nil
}

// end stops all runnables and waits for them.
func (s *scope) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}
