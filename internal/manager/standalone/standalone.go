// SPDX-License-Identifier: Apache-2.0

package standalone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

const (
	// presencePoll is the interval between checks of the control plane, and
	// presenceMisses how many must fail in a row for it to count as gone.
	presencePoll   = 2 * time.Second
	presenceMisses = 3

	connectPoll = 200 * time.Millisecond
)

// Config describes a manager in a process of its own: it runs the controllers of
// one API group, against RDD's control plane or any other Kubernetes API server.
type Config struct {
	// Group is the group whose controllers run; the registry may have more.
	Group    string
	Registry manager.Registry
	// REST connects to the API server.
	REST *rest.Config
	// Instance is the RDD instance of the API server; nil in another cluster.
	Instance *instance.Instance
	// NoWait makes it an error if another process runs one of the controllers.
	NoWait bool
	// Patience is how long to wait for the control plane to be ready.
	Patience time.Duration
	// Bind is the address that the servers listen on, and Advertise the one at which
	// the API server connects to this process.
	Bind, Advertise string
	// HealthPort and Port are for health, and for everything else; 0 for free ones.
	HealthPort, Port int
	Log              *slog.Logger
	// Say prints a message for the user.
	Say func(format string, args ...any)
}

// run is one run.
type run struct {
	Config
	client    kubernetes.Interface
	manager   *manager.Manager
	servers   *servers
	discovery manager.Discovery
	// discovers is whether there is a discovery to publish to: the API server is RDD's.
	discovers bool
	entry     manager.Entry
}

// Run runs the controllers until ctx ends, or the control plane is gone.
func (cfg Config) Run(ctx context.Context) error {
	s := &run{Config: cfg}
	s.REST = rest.CopyConfig(cfg.REST)
	s.REST.QPS = -1
	s.REST.Timeout = 0
	var err error
	if s.client, err = kubernetes.NewForConfig(manager.AsControllers(s.REST)); err != nil {
		return err
	}
	s.discovery = manager.Discovery{Client: s.client}
	if err := s.reachable(); err != nil {
		return err
	}
	if err := s.waitReady(ctx); err != nil {
		return err
	}
	identity := fmt.Sprintf("%s-controller on %s, process %d, %s", cfg.Group, hostname(), os.Getpid(), uuid.NewUUID()[:8])
	s.manager, err = manager.New(manager.Config{
		Controllers: cfg.Registry.Group(cfg.Group),
		REST:        s.REST,
		Instance:    cfg.Instance,
		Holder:      manager.External(identity),
		NoWait:      cfg.NoWait,
		Log:         cfg.Log,
		Before: func(ctx context.Context, c manager.Controller) error {
			return s.servers.webhooks(s.client).Apply(ctx, c)
		},
		After: func(ctx context.Context, c manager.Controller) error {
			return s.servers.webhooks(s.client).Remove(ctx, c)
		},
	})
	if err != nil {
		return err
	}
	if err := s.manager.Install(ctx); err != nil {
		return err
	}
	if err := s.manager.Setup(ctx); err != nil {
		return err
	}
	if s.servers, err = s.listen(ctx); err != nil {
		return err
	}
	defer s.servers.close()
	return s.keep(ctx)
}

// reachable checks that the API server can call this process for admission.
func (s *run) reachable() error {
	asked := slices.ContainsFunc(s.Registry.Group(s.Group), func(c manager.Controller) bool { return len(c.Hooks) > 0 })
	server, err := url.Parse(s.REST.Host)
	if err != nil || !asked || !loopback(s.Advertise) || loopback(server.Hostname()) {
		return err
	}
	return fault.New(fault.Usage, "", "", fmt.Errorf("the API server at %s can't connect to this process at %s: "+
		"set --bind-address and --advertise-address", s.REST.Host, s.Advertise))
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// waitReady waits until the control plane is ready. If the discovery can't be read, it
// does not count as missing: without that permission the controllers don't run.
func (s *run) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	reason := ""
	for {
		err := s.check(ctx)
		switch {
		case err == nil:
			return nil
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
			return fault.New(fault.Failed, "read the discovery of", s.REST.Host, err)
		case ctx.Err() == nil && (reason == "" || !wording.Same(err.Error(), reason)):
			reason = err.Error()
			s.Say("Waiting for the control plane: %v.", err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fault.New(fault.Deadline, "wait for the control plane at", s.REST.Host, errors.New(reason))
			}
			return ctx.Err()
		case <-time.After(connectPoll):
		}
	}
}

// check checks once whether the control plane is ready, and its kind.
func (s *run) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, presencePoll)
	defer cancel()
	answer := s.client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx)
	if err := answer.Error(); err != nil {
		return err
	}
	served, err := answer.Raw()
	if err != nil {
		return err
	}
	if !strings.Contains(string(served), version.Mark) {
		s.discovers = false // another cluster
		_, err := s.client.CoordinationV1().Leases(manager.SystemNamespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	}
	s.discovers = true
	state, err := s.discovery.Read(ctx)
	if err != nil {
		return err
	}
	if !state.Ready {
		return errors.New("it is starting")
	}
	return nil
}

// keep runs the manager, and maintains its entry in the discovery.
func (s *run) keep(ctx context.Context) error {
	s.entry = s.servers.entry()
	s.entry.StartTime = metav1.NewTime(time.Now().Truncate(time.Second))
	running, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.manager.Run(running) }()

	stopped, err := s.watch(ctx, ended)
	stop(err)
	if errors.Is(err, manager.ErrGone) {
		s.Say("The control plane is gone; exiting.")
		select {
		case err := <-ended:
			s.Log.Debug("the manager exited after the control plane", "error", err)
		case <-time.After(manager.GoneBudget):
		}
		return nil
	}
	if !stopped {
		err = <-ended
	}
	s.withdraw()
	return err
}

// watch maintains the entry until ctx ends, the control plane is gone, or the manager
// has stopped: then stopped is true.
func (s *run) watch(ctx context.Context, ended <-chan error) (stopped bool, err error) {
	ticker := time.NewTicker(presencePoll)
	defer ticker.Stop()
	misses := 0
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case err := <-ended:
			return true, err
		case <-s.manager.Changed():
			s.say()
			if err := s.present(ctx); err != nil {
				s.Log.Warn("writing the discovery entry failed, will retry", "error", err)
			}
		case <-ticker.C:
			err := s.present(ctx)
			if err == nil || ctx.Err() != nil {
				misses = 0
				continue
			}
			misses++
			s.Log.Warn("the control plane does not answer", "misses", misses, "error", err)
			if misses == presenceMisses {
				return false, manager.ErrGone
			}
		}
	}
}

// say prints what runs here.
func (s *run) say() {
	if !s.manager.Settled() {
		return
	}
	if running := s.manager.Running(); len(running) > 0 {
		s.Say("Running: %s.", strings.Join(running, ", "))
	}
	for controller, holder := range s.manager.Waiting() {
		s.Say("Controller %s is run by %s; waiting for it to exit.", controller, holder)
	}
}

// present checks that the control plane answers, and writes the entry if it is missing
// or outdated: a restarted control plane has lost it.
func (s *run) present(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, presencePoll)
	defer cancel()
	if !s.discovers {
		return s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}
	state, err := s.discovery.Read(ctx)
	if err != nil || !s.announces() {
		return err
	}
	entry := s.entry
	entry.EnabledControllers = s.manager.Running()
	entry.EnabledPassthroughs = s.manager.Endpoints().Names()
	if have, ok := state.Entries[s.Group]; ok && have.Same(entry) {
		return nil
	}
	if len(entry.EnabledPassthroughs) > 0 {
		if err := s.discovery.ShareAccess(ctx, s.Group, s.servers.token, s.servers.authority.CACert); err != nil {
			return err
		}
	}
	return s.discovery.Publish(ctx, s.Group, entry)
}

// announces reports whether this process has something to publish: it does not only
// wait for another process.
func (s *run) announces() bool {
	return s.manager.Settled() && (len(s.manager.Waiting()) == 0 || s.manager.Reconciles())
}

// withdraw removes the entry.
func (s *run) withdraw() {
	if !s.discovers {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), presencePoll)
	defer cancel()
	if err := s.discovery.Withdraw(ctx, s.Group, s.entry); err != nil {
		s.Log.Warn("removing the discovery entry failed", "error", err)
	}
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "this machine"
	}
	return name
}
