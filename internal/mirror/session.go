// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// State is the state of a session.
type State struct {
	Reason  string // one of the Ready condition's
	Message string
	// Info is the engine's last description of itself; nil before the first answer.
	Info *engine.Info
	// Synced is when all mirrors were last compared with the engine.
	Synced time.Time
	Counts map[engine.Kind]int
	// Problems summarizes the failures.
	Problems problemSummary
}

// sessionConfig configures a session. All fields but secret must be set.
type sessionConfig struct {
	owner  owner
	engine engine.Engine
	// secret has the certificates for the engine's connections; nil for none.
	secret *secret
	// known identifies the engine of the existing mirrors.
	known  identity
	resync time.Duration

	client  client.Client
	reader  client.Reader // not from a cache
	events  record.EventRecorder
	watch   mirrorWatch
	clock   clock.WithTickerAndDelayedExecution
	log     *slog.Logger
	metrics *metrics
	// changed is called when State has changed. It must not block.
	changed func()
}

// Session mirrors one engine while it runs: it connects, reconnects, and keeps the
// mirrors equal. It owns the parts and all their goroutines.
type Session struct {
	owner  owner
	secret *secret
	resync time.Duration
	watch  mirrorWatch
	clock  clock.WithTickerAndDelayedExecution
	log    *slog.Logger
	// changed is called when State has changed. It must not block.
	changed func()

	table      *table
	problems   *problems
	notices    *notices
	connection *connection
	syncer     *syncer
	actor      *actor

	alive  context.Context //nolint:containedctx // ends with the session
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	state    State // guarded by mu
	reported State // guarded by mu; what Report returned last
}

// startSession starts a session, which runs until Stop.
func startSession(cfg sessionConfig) *Session {
	s := newSession(cfg)
	go s.run(s.alive)
	return s
}

// newSession creates a session from its parts. None of them depends on the session.
func newSession(cfg sessionConfig) *Session {
	ctx, cancel := context.WithCancel(context.Background())
	t := newTable()
	problems := newProblems(cfg.clock, t.subject)
	w := &writer{client: cfg.client, table: t}
	notices := &notices{problems: problems, table: t, owner: cfg.owner, writer: w, events: cfg.events, clock: cfg.clock}
	queue := newQueues("mirror-" + cfg.owner.namespace + "-" + cfg.owner.name)
	c := &connection{engine: cfg.engine, table: t, clock: cfg.clock, log: cfg.log, known: cfg.known}
	a := &actor{
		owner: cfg.owner, engine: cfg.engine, writer: w, reader: cfg.reader, events: cfg.events, clock: cfg.clock, log: cfg.log,
		table: t, queue: queue, problems: problems, notices: notices, deletions: newDeletions(ctx, cfg.clock), alive: ctx,
	}
	y := &syncer{
		owner: cfg.owner, connection: c, actor: a, writer: w, reader: cfg.reader, clock: cfg.clock, log: cfg.log, metrics: cfg.metrics,
		problems: problems, notices: notices, table: t, queue: queue, pacer: newPacer(cfg.clock), inspected: newInspectedItems(), alive: ctx,
		busy: map[engine.Key]*syncing{}, arrived: map[engine.Key]time.Time{}, deepAfter: map[engine.Kind]string{},
	}
	a.mirrors, w.counted, y.namespaces.syncer = y, y.counted, y
	y.lists = newLists(cfg.clock, problems, c.list, y.enqueueDifferent)
	y.patience = newPatience(cfg.clock, y.startWorker, y.silent)
	return &Session{
		owner: cfg.owner, secret: cfg.secret, resync: cfg.resync, watch: cfg.watch, clock: cfg.clock, log: cfg.log, changed: cfg.changed,
		table: t, problems: problems, notices: notices, connection: c, syncer: y, actor: a,
		alive: ctx, cancel: cancel, done: make(chan struct{}),
		state: State{Reason: containersv1alpha1.ReasonConnecting, Message: "connecting"},
	}
}

// Stop ends the session and waits for all its goroutines. The mirrors are kept.
func (s *Session) Stop() {
	s.cancel()
	<-s.done
}

// State returns the current state.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Counts = map[engine.Kind]int{}
	for kind := range kinds {
		state.Counts[kind] = s.table.count(kind)
	}
	state.Info = s.connection.lastInfo()
	state.Problems = s.problems.summary()
	return state
}

// Report returns the state for the status of the ContainerEngine. Later changes are
// compared with the last reported state, whatever caused that report: a problem may
// begin, be reported because of another change, and end between two checks.
func (s *Session) Report() State {
	state := s.State()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reported = state
	return state
}

// isUnreported reports whether counts or problems differ from the reported ones.
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

// setStateIf is setState if the reason still is was.
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
	defer s.actor.wait()
	defer s.syncer.workers.Wait()
	defer wg.Wait()
	defer s.syncer.queue.shutDown()
	defer func() { _ = s.connection.engine.Close() }()

	stopWatching, err := s.watch.start(ctx, s.syncer)
	if err != nil {
		if ctx.Err() == nil {
			s.setState(containersv1alpha1.ReasonConnectFailed, err.Error())
		}
		return
	}
	defer stopWatching()
	s.syncer.start()
	wg.Go(func() { s.reportChanges(ctx) })
	wg.Go(func() { s.reportProblems(ctx) })
	wg.Go(func() { s.secret.follow(ctx) })
	s.keepConnected(ctx)
}
