// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/appclient"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

const settleTimeout = 5 * time.Minute

// interrupted is the exit code of a command that was interrupted, as shells
// have it.
const interrupted = 130

// waitFlags say whether and how long to wait for the App to settle.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

// addWaitFlags adds the flags of a command that waits for what, as long as f says
// or else [settleTimeout].
func addWaitFlags(cmd *cobra.Command, f *waitFlags, what string) {
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait until "+what)
	if f.timeout == 0 {
		f.timeout = settleTimeout
	}
	command.Timeout(cmd.Flags(), &f.timeout, "how long to wait; the exit code is 4 when it is over")
}

// appSession is one command's conversation with the API server about the App.
type appSession struct {
	*env
	ctx      context.Context
	service  *service.Service
	client   ctrlclient.WithWatch
	progress *progress
	// goesOn says that the daemon has something left to do that was asked for.
	goesOn bool
}

// withApp makes sure that the daemon is ready, and calls do within the timeout,
// or until the user interrupts it.
func (e *env) withApp(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	return e.withinTime(ctx, timeout, func(ctx context.Context) error { return e.withClient(ctx, do) })
}

// withAppAsFound is withApp for commands after which a daemon that did not run
// before does not run, unless they have left it something to do.
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
			if !a.goesOn {
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
		if a.client, err = a.connect(); err != nil {
			return err
		}
		return do(a)
	})
}

// withStartedDaemon is withApp for commands that bring something up: a daemon of another
// version is replaced, and one that was started for a command which fails before it has
// asked the daemon for anything is stopped again.
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
			e.Say("The daemon of rdd %s has been replaced by one of this version.", svc.Replaced)
		}
		if _, err := svc.Visit(limited); err != nil {
			return stillStarting(svc, err)
		}
		a := &appSession{env: e, ctx: limited, service: svc, progress: p}
		if a.client, err = a.connect(); err == nil {
			err = do(a)
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err == nil || a.goesOn {
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
			a.sayNow("The daemon, which was started for this, has been stopped again.")
		}
		return err
	})
}

// withinTime calls do with a context that ends with the timeout, or when the user
// interrupts it, and says so.
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
	if err == context.DeadlineExceeded { //nolint:errorlint // one that is wrapped says what was not done
		return fault.New(fault.Deadline, "", "", fmt.Errorf("not done within %s: %w", timeout, err))
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
	if a.client, err = a.connect(); err != nil {
		return err
	}
	return do(a)
}

// app returns a client of the App.
func (a *appSession) app() *appclient.Client {
	return &appclient.Client{Connect: a.connect, Alive: a.alive, Progress: a.progress.update, Percent: a.progress.over}
}

// alive reports whether the daemon runs; that is taken for true if it is unknown.
func (a *appSession) alive() bool {
	alive, err := a.service.Instance.Alive()
	return alive || err != nil
}

// connect returns a client of the daemon as it is now.
func (a *appSession) connect() (ctrlclient.WithWatch, error) {
	return client.New(a.service.Instance.ConfigFile())
}

// sayNow says what a command did while progress is shown.
func (a *appSession) sayNow(format string, args ...any) {
	a.progress.done()
	a.Say(format, args...)
}

// apply writes the settings in one write, and waits for what it wrote.
func (a *appSession) apply(spec map[string]any, wait bool) error {
	generation, err := a.app().Set(a.ctx, spec, false)
	if err != nil {
		return err
	}
	if !wait {
		a.goesOn = true
		a.sayNow("The App was changed.")
		return nil
	}
	return a.settle(appclient.Wish{Generation: generation})
}

// settle waits for what was asked of the App.
func (a *appSession) settle(wish appclient.Wish) error {
	message, err := a.app().Settle(a.ctx, wish)
	if err != nil {
		return a.unfinished(err, "Interrupted. What was set stays set, and goes on: `rdd status` says how far it is.")
	}
	a.sayNow("Settled: %s.", message)
	a.sayProblems()
	return nil
}

// unfinished turns the error of a wait into that of the command: what was asked
// for has been, and the log may say why it is not so yet.
func (a *appSession) unfinished(err error, onInterrupt string) error {
	a.goesOn = true
	if errors.Is(a.ctx.Err(), context.Canceled) {
		a.progress.done()
		return &command.ExitError{Code: interrupted, Message: onInterrupt}
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf("%w (log: %s)", err, a.service.Instance.StderrLog()))
}
