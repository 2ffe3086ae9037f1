// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/appclient"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
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
}

// withApp makes sure that the daemon is ready, and calls do within the timeout,
// or until the user interrupts it.
func (e *env) withApp(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := e.withClient(limited, do)
	var exit *command.ExitError
	if err != nil && ctx.Err() != nil && !errors.As(err, &exit) {
		e.Say("Interrupted.")
		return &command.ExitError{Code: interrupted}
	}
	if err == context.DeadlineExceeded { //nolint:errorlint // one that is wrapped says what was not done
		return fault.New(fault.Deadline, "", "", fmt.Errorf("not done within %s: %w", timeout, err))
	}
	return err
}

// withAppAsFound is withApp for commands after which a daemon that did not run
// before does not run.
func (e *env) withAppAsFound(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	ran, err := inst.Alive()
	if err != nil {
		return err
	}
	return e.withApp(ctx, timeout, func(a *appSession) error {
		err := do(a)
		if ran {
			return err
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_, stopErr := a.service.Stop(stopping, true)
		return errors.Join(err, stopErr)
	})
}

// withClient makes sure that the daemon is ready, and calls do.
func (e *env) withClient(ctx context.Context, do func(*appSession) error) error {
	p := newProgress(e.Stderr)
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return err
	}
	if _, err := svc.EnsureReady(ctx); err != nil {
		return err
	}
	c, err := client.New(svc.Instance.ConfigFile())
	if err != nil {
		return err
	}
	return do(&appSession{env: e, ctx: ctx, service: svc, client: c, progress: p})
}

// app returns a client of the App.
func (a *appSession) app() *appclient.Client {
	return &appclient.Client{Connect: a.connect, Progress: a.progress.update, Percent: a.progress.over}
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
	return nil
}

// unfinished turns the error of a wait into that of the command: what was asked
// for has been, and the log may say why it is not so yet.
func (a *appSession) unfinished(err error, onInterrupt string) error {
	if errors.Is(a.ctx.Err(), context.Canceled) {
		a.sayNow("%s", onInterrupt)
		return &command.ExitError{Code: interrupted}
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf("%w (log: %s)", err, a.service.Instance.StderrLog()))
}
