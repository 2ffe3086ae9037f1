// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/bounded"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// A failed object is tried again after these.
	retryMin = 20 * time.Millisecond
	retryMax = 30 * time.Second

	// deepResync is how many objects of a kind each comparison inspects though
	// they look as they are known, in turn: a list does not show everything.
	deepResync = 16

	// identityTTL is how long a proof of the engine's identity holds for
	// removals that it did not tell of.
	identityTTL = time.Second

	// provedAfter is how long a connection has to stand after its first comparison
	// until the next attempt to connect is a first one again.
	provedAfter = 10 * time.Second

	// clockSlack is how much later than the engine's clock, as it was when the engine
	// last said who it is, an event may be.
	clockSlack = time.Minute

	// manyWait is how many objects have to wait for that to be worth a word.
	manyWait = 1000

	// countDelay is how long counts wait for more changes before they are told.
	countDelay = time.Second
)

// workers are how many objects of a kind are synced at a time, but for those that
// the engine takes long for.
func workers(kind engine.Kind) int {
	switch kind {
	case engine.KindContainer:
		return 8
	case engine.KindNamespace:
		return 1
	}
	return 4
}

// reconnect is the back-off between attempts to connect.
var reconnect = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 100, Cap: 9 * time.Second} // ten at the most, with the jitter

// State is how far a session is.
type State struct {
	Reason  string // one of the Ready condition's
	Message string
	// Info is what the engine last said of itself; nil before the first answer.
	Info *engine.Info
	// Synced is when all mirrors were last compared with the engine.
	Synced time.Time
	Counts map[engine.Kind]int
	// Problems is what could not be done.
	Problems problemSummary
}

// sessionConfig is what a session needs. All fields but secret must be set.
type sessionConfig struct {
	owner  owner
	engine engine.Engine
	// secret is what the engine's connections are made with; nil for none.
	secret *secret
	// known is the engine that the existing mirrors are of; guarded by the
	// session's mu once that runs.
	known  identity
	resync time.Duration

	client  client.Client
	reader  client.Reader // not from a cache
	events  record.EventRecorder
	watch   mirrorWatch
	clock   clock.WithTickerAndDelayedExecution
	log     *slog.Logger
	metrics *metrics
	// changed is called when State has changed. It must not wait for anything.
	changed func()
}

// Session mirrors one engine for as long as it runs: it connects, and connects
// again, and keeps the mirrors equal. It owns the connection and all its
// goroutines.
type Session struct {
	sessionConfig

	table      *table
	queue      queues
	lists      *lists
	patience   *patience
	workers    sync.WaitGroup
	pacer      *pacer
	link       link
	acts       acts
	removals   removals
	deletions  *deletions
	inspected  *inspectedItems
	namespaces namespaces
	problems   *problems
	notices    *notices

	alive  context.Context // ends with the session
	cancel context.CancelFunc
	done   chan struct{}

	mu         sync.Mutex
	state      State                    // guarded by mu
	reported   State                    // guarded by mu; what Report returned last
	clockAhead time.Duration            // guarded by mu; the engine's clock minus ours
	identified time.Time                // guarded by mu; when the engine last proved who it is
	lastEvent  time.Time                // guarded by mu; on the engine's clock
	busy       map[engine.Key]*syncing  // guarded by mu; being synced
	arrived    map[engine.Key]time.Time // guarded by mu; the first event since the last sync
	current    *batch                   // guarded by mu; what the last comparison found
	deepAfter  map[engine.Kind]string   // guarded by mu; where the next deep comparison goes on
}

// startSession starts a session, which runs until Stop.
func startSession(cfg sessionConfig) *Session {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Session{
		sessionConfig: cfg,
		table:         newTable(),
		queue:         newQueues("mirror-" + cfg.owner.namespace + "-" + cfg.owner.name),
		pacer:         newPacer(cfg.clock),
		deletions:     newDeletions(ctx, cfg.clock),
		inspected:     newInspectedItems(),
		alive:         ctx,
		cancel:        cancel,
		done:          make(chan struct{}),
		state:         State{Reason: containersv1alpha1.ReasonConnecting, Message: "connecting"},
		busy:          map[engine.Key]*syncing{},
		arrived:       map[engine.Key]time.Time{},
		deepAfter:     map[engine.Kind]string{},
	}
	s.namespaces.session = s
	s.problems = newProblems(cfg.clock, s.subject)
	s.notices = &notices{problems: s.problems, table: s.table, owner: cfg.owner, client: cfg.client, events: cfg.events, clock: cfg.clock,
		wrote: func(obj client.Object) { s.counted("update", obj) }}
	s.lists = newLists(cfg.clock, s.problems, s.list, s.enqueueDifferent)
	s.patience = newPatience(cfg.clock, s.startWorker, s.silent)
	go s.run(ctx)
	return s
}

// Stop ends the session and waits for everything that it started. The mirrors
// stay.
func (s *Session) Stop() {
	s.cancel()
	<-s.done
}

// State returns how far the session is.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Counts = map[engine.Kind]int{}
	for kind := range kinds {
		state.Counts[kind] = s.table.count(kind)
	}
	state.Problems = s.problems.summary()
	return state
}

// Report returns the state for whoever writes it down. Whatever the reason was for
// that, it is what later changes are compared with: a problem may begin, be
// written down for another reason, and end between two looks at the problems.
func (s *Session) Report() State {
	state := s.State()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reported = state
	return state
}

// isUnreported reports whether numbers or problems are not what was last reported.
func (s *Session) isUnreported() bool {
	now := s.State()
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Problems != s.reported.Problems || !maps.Equal(now.Counts, s.reported.Counts)
}

func (s *Session) setState(reason, message string) {
	s.mu.Lock()
	changed := s.state.Reason != reason || s.state.Message != message
	s.state.Reason, s.state.Message = reason, message
	s.mu.Unlock()
	if changed {
		s.changed()
	}
}

// setStateIf is setState, where the reason is still was.
func (s *Session) setStateIf(was, reason, message string) {
	s.mu.Lock()
	changed := s.state.Reason == was && (s.state.Reason != reason || s.state.Message != message)
	if changed {
		s.state.Reason, s.state.Message = reason, message
	}
	s.mu.Unlock()
	if changed {
		s.changed()
	}
}

func (s *Session) run(ctx context.Context) {
	defer close(s.done)
	var wg sync.WaitGroup
	defer s.acts.wg.Wait()
	defer s.deletions.wg.Wait()
	defer s.workers.Wait()
	defer wg.Wait()
	defer s.queue.shutDown()
	defer func() { _ = s.engine.Close() }()

	stopWatching, err := s.watch.start(ctx, s)
	if err != nil {
		if ctx.Err() == nil {
			s.setState(containersv1alpha1.ReasonConnectFailed, err.Error())
		}
		return
	}
	defer stopWatching()
	for _, kind := range engine.Kinds {
		for range workers(kind) {
			s.startWorker(kind)
		}
	}
	wg.Go(func() { s.tell(ctx) })
	wg.Go(func() { s.tellMirrors(ctx) })
	wg.Go(func() { s.secret.follow(ctx) })
	s.keepConnected(ctx)
}

// keepConnected connects, and connects again when the connection breaks.
func (s *Session) keepConnected(ctx context.Context) {
	backoff := reconnect
	for ctx.Err() == nil {
		was := s.State().Reason
		err := s.connected(ctx, func() { backoff = reconnect })
		if ctx.Err() != nil {
			return
		}
		pause := backoff.Step()
		s.log.Info("no connection to the engine", "error", err, "retryIn", pause)
		s.setState(s.failure(err, was), fmt.Sprintf("%s; next try in %s", bounded.Error(err), pause.Round(100*time.Millisecond)))
		select {
		case <-ctx.Done():
		case <-s.secret.changed():
			backoff = reconnect
		case <-s.clock.After(pause):
		}
	}
}

// failure returns the reason for a connection that ended with err. A session
// that had a stream is Disconnected until it has one again.
func (s *Session) failure(err error, was string) string {
	switch {
	case anotherEngine(err):
		return containersv1alpha1.ReasonEngineChanged
	case s.link.number() > 0 && was != containersv1alpha1.ReasonEngineChanged:
		return containersv1alpha1.ReasonDisconnected
	}
	return containersv1alpha1.ReasonConnectFailed
}

// changedError says that another engine answers.
type changedError struct{ had, has string }

func (e *changedError) Error() string {
	return fmt.Sprintf("the endpoint answers as engine %q, and the mirrors are of %q: nothing is changed on its word; "+
		"stop and start the ContainerEngine (spec.running) to mirror the other engine instead", e.has, e.had)
}

// anotherEngine reports whether err says that another engine answers.
func anotherEngine(err error) bool {
	var changed *changedError
	return errors.As(err, &changed)
}

// connected holds one connection, from its first question to its end, which is
// the error. ok is called once the connection has proved good.
func (s *Session) connected(ctx context.Context, ok func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer s.problems.clearAll(connectionReasons()...) // a list may have failed since the stream's end
	defer wg.Wait()
	defer s.lists.disconnect()
	defer cancel()

	if err := s.identify(ctx); err != nil {
		return err
	}
	ready, broken := make(chan struct{}), make(chan error, 1)
	s.lists.connect(ctx, broken)
	since := s.watchSince()
	wg.Go(func() {
		err := s.engine.Watch(ctx, since, sync.OnceFunc(func() {
			s.link.connect()
			s.namespaces.reset()
			close(ready)
		}), s.event)
		select {
		case broken <- err:
		default: // it is told already why
		}
		s.link.disconnect()
		s.problems.clearAll(connectionReasons()...) // that it broke is said
		s.removals.clear()
		s.deletions.clear()
	})
	select {
	case err := <-broken:
		return err
	case <-ready:
	}
	return s.serve(ctx, broken, ok)
}

// connectionReasons are those of problems that end with the connection.
func connectionReasons() []string {
	return []string{containersv1alpha1.ReasonListFailed, containersv1alpha1.ReasonListSlow, containersv1alpha1.ReasonInspectFailed}
}

// serve compares everything, says that it has, and compares again and again.
func (s *Session) serve(ctx context.Context, broken <-chan error, ok func()) error {
	first := newBatch()
	first.first = true
	s.setStateIf(containersv1alpha1.ReasonConnecting, containersv1alpha1.ReasonConnecting, "connecting: listing what the engine has")
	listed := s.compare(first)
	complete := false
	for waiting := true; waiting; {
		select {
		case complete = <-listed:
			listed = nil
		case <-first.finished(): // which is after all was listed
			waiting = false
		case err := <-broken:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if listed != nil {
		complete = <-listed
	}
	s.compared(complete)
	return s.keepComparing(ctx, broken, ok)
}

func (s *Session) keepComparing(ctx context.Context, broken <-chan error, ok func()) error {
	ticker := s.clock.NewTicker(s.resync)
	defer ticker.Stop()
	proved := s.clock.After(provedAfter)
	var listed <-chan bool // of the comparison that is under way; nil for none
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-proved:
			ok()
		case <-s.secret.changed():
			if err := unless(ctx, broken, s.reproved); err != nil {
				return err
			}
		case <-ticker.C():
			if err := unless(ctx, broken, s.identify); err != nil {
				return err
			}
			if listed == nil {
				listed = s.compare(newBatch())
			}
		case complete := <-listed:
			listed = nil
			s.compared(complete)
		}
	}
}

// unless asks something of the engine, until the connection breaks: an engine that
// does not answer must not hide that.
func unless(ctx context.Context, broken <-chan error, ask func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	answer := make(chan error, 1)
	asking.Go(func() { answer <- ask(ctx) })
	select {
	case err := <-answer:
		return err
	case err := <-broken:
		return err
	}
}

// reproved has the engine prove who it is over a connection that was made with
// what the Secret has now.
func (s *Session) reproved(ctx context.Context) error {
	if r, ok := s.engine.(engine.Refresher); ok {
		r.Refresh()
	}
	s.mu.Lock()
	s.identified = time.Time{}
	s.mu.Unlock()
	return s.identify(ctx)
}

// compared notes that a comparison was made. Where a list is missing that is a
// problem of its own: what happens is mirrored, and the rest when it comes.
func (s *Session) compared(complete bool) {
	s.mu.Lock()
	if complete {
		s.state.Synced = s.clock.Now()
	}
	s.state.Reason, s.state.Message = containersv1alpha1.ReasonConnected, "connected"
	s.mu.Unlock()
	s.changed()
}

// identify asks the engine who it is, and fails where it is not the one that
// the mirrors are of.
func (s *Session) identify(ctx context.Context) error {
	s.mu.Lock()
	recent := s.link.up() && s.clock.Since(s.identified) < identityTTL
	s.mu.Unlock()
	if recent {
		return nil
	}
	asked := s.clock.Now()
	info, err := s.engine.Info(ctx)
	if err != nil {
		return err
	}
	info = info.Bounded()
	if err := s.recognize(ctx, &info); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Info = &info
	s.identified = s.clock.Now()
	s.clockAhead = info.Clock.Sub(asked)
	return nil
}

// noteTimeLocked notes when an event was, where that can be: not before the stream
// begins, and not in the future of the engine.
func (s *Session) noteTimeLocked(at time.Time) {
	latest := s.clock.Now().Add(s.clockAhead).Add(clockSlack)
	if at.After(s.lastEvent) && !at.After(latest) {
		s.lastEvent = at
	}
}

// watchSince returns where the event stream is to begin: after the last event
// that was seen, or now. The clock is the engine's, which may have been turned
// back: what it does from now on would be missed by a stream that begins later.
func (s *Session) watchSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.state.Info.Clock; s.lastEvent.IsZero() || s.lastEvent.After(now) {
		s.lastEvent = now
	}
	return s.lastEvent
}
