// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

const settleTimeout = 5 * time.Minute

// interrupted is the exit code of an interrupted command, as in shells.
const interrupted = 130

// waitFlags are the flags of a command that waits.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

// addWaitFlags adds the flags of a command that waits until what is true. f.timeout is
// the default, or [settleTimeout] if it is zero.
func addWaitFlags(cmd *cobra.Command, f *waitFlags, what string) {
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait until "+what)
	if f.timeout == 0 {
		f.timeout = settleTimeout
	}
	command.Timeout(cmd.Flags(), &f.timeout, "how long to wait before exiting with code 4")
}

// appSession is one command's connection to the API server.
type appSession struct {
	*env
	ctx      context.Context
	service  *service.Service
	client   *client.Session
	progress *progress
	// pending is whether the daemon has not finished what the command requested.
	pending bool
}

// withApp makes sure that the daemon is ready, and calls do. The timeout covers both,
// and the user can interrupt both.
func (e *env) withApp(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	return e.withinTime(ctx, timeout, func(ctx context.Context) error { return e.withClient(ctx, do) })
}

// withAppAsFound is withApp for commands that stop the daemon again if they started it,
// unless it has pending work.
func (e *env) withAppAsFound(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	return e.withinTime(ctx, timeout, func(limited context.Context) (err error) {
		p := newProgress(e.Messages())
		defer p.done()
		svc, err := e.service(p)
		if err != nil {
			return err
		}
		leave, err := svc.Visit(limited)
		a := &appSession{env: e, ctx: limited, service: svc, progress: p}
		defer func() {
			if !a.pending {
				leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
				defer cancel()
				if left := leave(leaving); left != nil {
					err = errors.Join(err, left)
				}
			}
		}()
		if err != nil {
			return err
		}
		if err := a.connect(); err != nil {
			return err
		}
		return do(a)
	})
}

// withStartedDaemon is withApp for commands that start the engine: it replaces a daemon of
// another version. If it starts the daemon and do fails before it requests anything, it
// stops the daemon again.
func (e *env) withStartedDaemon(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	return e.withinTime(ctx, timeout, func(limited context.Context) error {
		p := newProgress(e.Messages())
		defer p.done()
		svc, err := e.service(p)
		if err != nil {
			return err
		}
		if outdated, err := svc.Outdated(); err != nil {
			return err
		} else if outdated {
			if _, err := svc.Start(limited, service.Overrides{}); err != nil {
				return err
			}
			p.done()
			e.Say("Replaced the daemon of rdd %s with one of this version.", svc.Replaced)
		}
		if _, err := svc.Visit(limited); err != nil {
			return stillStarting(svc, err)
		}
		a := &appSession{env: e, ctx: limited, service: svc, progress: p}
		if err = a.connect(); err == nil {
			err = do(a)
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err == nil || a.pending {
			if kept := svc.Keep(closing); kept != nil {
				err = errors.Join(err, kept)
			}
			return err
		}
		stopped, ended := svc.EndVisit(closing)
		if ended != nil {
			return errors.Join(err, ended)
		}
		if stopped {
			a.sayNow("The daemon, which this command started, has been stopped again.")
		}
		return err
	})
}

// withinTime calls do with a context that ends at the timeout or at an interrupt, and
// reports which.
func (e *env) withinTime(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := do(limited)
	var exit *command.ExitError
	if err != nil && ctx.Err() != nil && !errors.As(err, &exit) {
		return &command.ExitError{Code: interrupted, Message: "Interrupted."}
	}
	if err == context.DeadlineExceeded { //nolint:errorlint // a wrapped one already says what failed
		return fault.New(fault.Deadline, "", "", fmt.Errorf("not finished within %s: %w", timeout, err))
	}
	return err
}

// withClient makes sure that the daemon is ready, and calls do.
func (e *env) withClient(ctx context.Context, do func(*appSession) error) error {
	p := newProgress(e.Messages())
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return err
	}
	if _, err := svc.EnsureReady(ctx); err != nil {
		return err
	}
	a := &appSession{env: e, ctx: ctx, service: svc, progress: p}
	if err := a.connect(); err != nil {
		return err
	}
	return do(a)
}

// connect gives the session a client, which reads the kubeconfig once, and again after
// a lost connection.
func (a *appSession) connect() error {
	a.client = &client.Session{
		Connect: func() (ctrlclient.WithWatch, error) { return client.New(a.service.Instance.ConfigFile()) },
		Alive:   a.alive, Progress: a.progress.update, Percent: a.progress.setPercent, Clock: clock.RealClock{},
	}
	_, err := a.client.API()
	return err
}

// alive reports whether the daemon runs, or may run.
func (a *appSession) alive() bool {
	alive, err := a.service.Instance.Alive()
	return alive || err != nil
}

// sayNow clears the progress line and prints a message.
func (a *appSession) sayNow(format string, args ...any) {
	a.progress.done()
	a.Say(format, args...)
}

// apply writes the settings in one request and, if wait is set, waits until the App is
// settled.
func (a *appSession) apply(spec map[string]any, wait bool) error {
	request, err := a.client.SetApp(a.ctx, spec, false)
	if err != nil {
		return err
	}
	if !wait {
		a.pending = true
		a.sayNow("The App was changed.")
		return nil
	}
	return a.settle(request)
}

// settle waits until the App has settled in the desired state.
func (a *appSession) settle(request client.AppRequest) error {
	message, err := a.client.SettleApp(a.ctx, request)
	if err != nil {
		return a.unfinished(err, "Interrupted. The settings are kept, and the daemon continues: see `rdd status`.")
	}
	a.sayNow("Settled: %s.", message)
	a.sayProblems()
	return nil
}

// unfinished turns the error of a wait into the error of the command. The daemon has the
// request, and its log may explain the delay.
func (a *appSession) unfinished(err error, onInterrupt string) error {
	a.pending = true
	if errors.Is(a.ctx.Err(), context.Canceled) {
		a.progress.done()
		return &command.ExitError{Code: interrupted, Message: onInterrupt}
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf("%w (log: %s)", err, a.service.Instance.StderrLog()))
}
