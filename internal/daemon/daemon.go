// SPDX-License-Identifier: Apache-2.0

// Package daemon is the daemon of an instance: it creates the control plane and the
// controllers, starts them in order, and stops them in reverse order.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/housekeeping"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/store"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/daemon/gates"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// startTimeout bounds the start: a daemon that hangs must exit, so that a new one can
// start.
const startTimeout = 80 * time.Second

// Config describes a daemon. All fields are required, unless they say otherwise.
type Config struct {
	Instance *instance.Instance
	// Controllers are the controllers to run, and Selection is the flag that selected
	// them.
	Controllers []manager.Controller
	Selection   string
	// All are all controllers, whether or not they run here.
	All []manager.Controller
	// SecurePort is the requested port of the API server; 0 for the instance's own.
	SecurePort int
	// Datastore is where the objects are stored.
	Datastore datastore.Endpoint
	// NotifySocket is the service manager's socket for the daemon's state; empty if
	// there is none.
	NotifySocket string
	Log          *slog.Logger
}

// daemon is one run.
type daemon struct {
	Config

	gates    *gates.Gates
	started  time.Time
	listener net.Listener
	identity *pki.Identity
	store    store.Objects
	control  *controlplane.Server
	client   kubernetes.Interface
	manager  *manager.Manager

	mu       sync.Mutex
	announce instance.Daemon // guarded by mu; the published state

	// failed receives the error of the first component that fails.
	failed chan error
}

// Run runs the daemon until ctx ends or a component fails, which is the error. The
// caller holds the instance's daemon lock.
func Run(ctx context.Context, cfg Config) (err error) {
	cfg.Controllers = manager.Bind(cfg.Controllers, cfg.Instance)
	d := &daemon{Config: cfg, started: time.Now(), failed: make(chan error, 1)}
	d.gates = gates.New(gates.Order, d.waiting)
	d.announce = instance.Daemon{
		Version:     version.RDD(),
		Started:     d.started.UTC(),
		Controllers: cfg.Selection,
		Waiting:     d.gates.Waiting(),
	}
	defer cfg.Instance.Retract()
	if err := cfg.Instance.Announce(d.announce); err != nil {
		return fmt.Errorf("announce the daemon: %w", err)
	}
	defer func() {
		if ctx.Err() != nil {
			err = nil // errors during the shutdown are consequences of it
			d.stoppedEarly()
		}
	}()
	if err := d.open(ctx); err != nil {
		return err
	}
	defer d.store.Close()
	return d.serve(ctx)
}

// waiting publishes the gate that the start waits for.
func (d *daemon) waiting(gate string) {
	d.Log.Info("waiting", "gate", gate, "after", time.Since(d.started))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.announce.Waiting, d.announce.Ready = gate, gate == ""
	if err := d.Instance.Announce(d.announce); err != nil {
		d.fail(fmt.Errorf("announce the daemon: %w", err))
		return
	}
	if gate == "" {
		d.notify("READY=1", "STATUS=Serving at https://"+d.announce.Address)
	} else {
		d.notify("STATUS=Waiting for " + gate)
	}
}

// announceEnd publishes that the daemon is stopping.
func (d *daemon) announceEnd() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notify("STOPPING=1", "STATUS=Stopping")
	d.announce.Stopping = true
	if err := d.Instance.Announce(d.announce); err != nil {
		d.Log.Warn("recording the shutdown failed", "error", err)
	}
}

// stoppedEarly writes that the daemon was stopped before it was ready, for clients that wait
// for it.
func (d *daemon) stoppedEarly() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.announce.Ready {
		return
	}
	d.Log.Warn("stopped before it was ready")
	if err := d.Instance.Fail(instance.Failure{Kind: instance.StoppedEarly, Message: "stopped before it was ready"}); err != nil {
		d.Log.Warn("announcing the end failed", "error", err)
	}
}

// fail stops the daemon with err as the reason, unless it has one already.
func (d *daemon) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
}

// open opens what the control plane needs.
func (d *daemon) open(ctx context.Context) (err error) {
	wanted := cmp.Or(d.SecurePort, d.Instance.PreferredPort())
	if d.listener, err = listen(ctx, wanted, d.Instance.LastPort(), d.Log); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = d.listener.Close()
		}
	}()
	if d.identity, err = pki.Load(d.Instance.TLSDir(), d.started); err != nil {
		return fault.New(fault.Failed, "load the keys in", d.Instance.TLSDir(), err)
	}
	d.mu.Lock()
	d.announce.Address = d.listener.Addr().String()
	d.mu.Unlock()
	if err = d.Instance.WriteKubeconfig(d.listener.Addr().String(), d.identity.CACert, d.identity.AdminToken); err != nil {
		return err
	}
	if d.store, err = (store.Place{Instance: d.Instance, Endpoint: d.Datastore, Log: d.Log}).Open(ctx); err != nil {
		return err
	}
	d.gates.Pass(gates.Store)
	return nil
}

// listen binds the API server's port on the loopback interface: the requested one, else
// the last one, at which clients may still connect, else any free one.
func listen(ctx context.Context, wanted, last int, log *slog.Logger) (net.Listener, error) {
	var config net.ListenConfig
	bind := func(port int) (net.Listener, error) {
		return config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	listener, err := bind(wanted)
	if err == nil {
		return listener, nil
	}
	if down := loopbackDown(err); down != nil {
		return nil, down
	}
	log.Warn("the port is taken, using another one", "port", wanted, "error", err)
	if last != 0 && last != wanted {
		if listener, err := bind(last); err == nil {
			return listener, nil
		}
	}
	if listener, err = bind(0); err != nil {
		return nil, fmt.Errorf("listen on the loopback interface: %w", err)
	}
	return listener, nil
}

// loopbackDown returns an explanation if no port of the loopback interface can be
// bound, nil for other errors.
func loopbackDown(err error) error {
	if !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.ENETDOWN) && !errors.Is(err, syscall.ENETUNREACH) {
		return nil
	}
	return fmt.Errorf("the loopback interface is down or has no address 127.0.0.1: bring it up (on Linux `sudo ip link set lo up`): %w", err)
}

// serve starts the components in order, and waits until ctx ends or a component fails.
func (d *daemon) serve(ctx context.Context) error {
	if err := d.compose(); err != nil {
		return err
	}
	stages := newStages(d.Log, d.fail)
	defer stages.end()
	stages.start("memory", runTrimmer)
	stages.start("store watch", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-d.store.Failed():
			return d.store.Err()
		}
	})
	stages.start("API server", d.control.Run)

	starting, stopStarting := context.WithTimeout(ctx, startTimeout)
	started := make(chan struct{})
	go func() {
		defer close(started)
		if err := d.start(starting, stages); err != nil {
			d.fail(fmt.Errorf("waiting for %s: %w", d.gates.Waiting(), d.cause(err)))
		}
	}()
	var watching sync.WaitGroup
	watching.Go(func() { d.watchRoom(starting) })
	defer func() {
		stopStarting()
		<-started
		watching.Wait()
	}()

	var err error
	select {
	case <-ctx.Done():
	case err = <-d.failed:
	}
	d.announceEnd()
	d.control.Drain()
	return err
}

// roomPoll is the interval between checks that the store can be written.
const roomPoll = time.Second

// watchRoom aborts a start that can't finish because the store can't be written.
// Otherwise it would fail with a timeout, which does not name the cause.
func (d *daemon) watchRoom(starting context.Context) {
	ticker := time.NewTicker(roomPoll)
	defer ticker.Stop()
	for d.gates.Waiting() != "" {
		select {
		case <-starting.Done():
			return
		case <-ticker.C:
		}
		err := d.store.Writable(starting)
		// The start may have finished since the last check: a ready daemon survives a
		// full disk.
		if gate := d.gates.Waiting(); err != nil && gate != "" && starting.Err() == nil {
			d.fail(fmt.Errorf("waiting for %s: the store can't be written: %w", gate, err))
			return
		}
	}
}

// cause returns why the start failed with err: if the store can't be written, every
// component fails in its own way.
func (d *daemon) cause(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), roomPoll)
	defer cancel()
	if unwritten := d.store.Writable(ctx); unwritten != nil {
		return fmt.Errorf("the store can't be written: %w", unwritten)
	}
	return err
}

// start passes the gates after the store, one after the other.
func (d *daemon) start(ctx context.Context, stages *stages) error {
	if err := d.control.WaitReady(ctx); err != nil {
		return err
	}
	config := d.control.ClientConfig()
	var err error
	if d.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	discovery := d.discovery()
	if err := discovery.Reset(ctx); err != nil {
		return err
	}
	d.gates.Pass(gates.APIServer)

	if err := d.manager.Install(ctx); err != nil {
		return err
	}
	d.gates.Pass(gates.CRDs)
	if err := d.manager.Setup(ctx); err != nil {
		return err
	}
	d.control.StartHooks(d.manager.Reader())
	d.gates.Pass(gates.Admission)

	if err := d.startControllers(ctx, stages); err != nil {
		return err
	}
	d.gates.Pass(gates.Controllers)
	if err := discovery.Publish(ctx, manager.EmbeddedKey, d.entry()); err != nil {
		return err
	}
	d.gates.Pass(gates.Discovery)
	stages.start("discovery", d.publish)
	stages.start("liveness", func(ctx context.Context) error {
		return liveness.Run(ctx, liveness.Config{REST: d.control.ClientConfig(), Controllers: d.All, Clock: clock.RealClock{}, Log: d.Log})
	})
	if err := discovery.SetReady(ctx); err != nil {
		return err
	}
	d.gates.Pass(gates.Announced)
	return nil
}

func (d *daemon) startControllers(ctx context.Context, stages *stages) error {
	stages.start("housekeeping", func(ctx context.Context) error {
		return housekeeping.Run(ctx, housekeeping.Config{
			REST:         d.control.ClientConfig(),
			Namespaces:   d.control.Namespaces(),
			KindsChanged: d.control.KindsChanged(),
			Log:          d.Log,
		})
	})
	stages.start("controllers", d.manager.Run)
	return d.manager.WaitSynced(ctx)
}

// errEnded is the error of a component that stopped by itself.
var errEnded = errors.New("ended unexpectedly")
