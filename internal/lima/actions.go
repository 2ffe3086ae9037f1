// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/utils/ptr"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

const (
	// bootPoll is the interval between reads of the progress of a boot.
	bootPoll = 200 * time.Millisecond
	// lastWords is how long limactl may take to exit when the machine has booted.
	lastWords = 5 * time.Second
	// cleanupLimit bounds the cleanup after a failed boot.
	cleanupLimit = time.Minute
	// limactlSlack is how much longer limactl itself waits for a boot.
	limactlSlack = time.Minute
)

// actions are the steps of operations on one Lima instance. limactl's output goes to
// the instance's log.
type actions struct {
	Config
	client *limactl.Client
	name   string
	report func(limav1alpha1.Progress)
}

// logged calls a function with the open log.
func (a *actions) logged(do func(log *os.File) error) error {
	log, err := openLog(a.Config, a.name)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	return do(log)
}

// create creates the instance.
func (a *actions) create(ctx context.Context, template string) error {
	a.report(limav1alpha1.Progress{Message: "creating the virtual machine"})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if cache, err := os.UserCacheDir(); err == nil {
			watchDownload(ctx, cache, images(template), a.report)
		}
	}()
	err := a.logged(func(log *os.File) error { return a.client.Create(ctx, a.name, template, log) })
	cancel()
	<-watched
	return err
}

// edit applies another template to the instance.
func (a *actions) edit(ctx context.Context, template string) error {
	a.report(limav1alpha1.Progress{Message: "applying the template"})
	return a.client.Edit(ctx, a.name, template)
}

// remove removes what is left of the instance.
func (a *actions) remove(ctx context.Context) error {
	return a.logged(func(log *os.File) error { return a.client.Delete(ctx, a.name, log) })
}

// delete stops the instance, keeps its logs, and removes it.
func (a *actions) delete(ctx context.Context, graceful bool) error {
	limit := a.Delete
	if !graceful {
		limit = 0
	}
	if err := a.stop(ctx, limit); err != nil {
		return err
	}
	if err := keepLogs(a.Config, a.client, a.name); err != nil {
		return err
	}
	a.report(limav1alpha1.Progress{Message: "removing the virtual machine"})
	return a.remove(ctx)
}

// stop stops the instance gracefully, and by force when the time is up or 0.
func (a *actions) stop(ctx context.Context, graceful time.Duration) error {
	return a.logged(func(log *os.File) error {
		if graceful > 0 {
			a.report(limav1alpha1.Progress{Message: fmt.Sprintf("stopping, by force in %s", graceful)})
			err := a.client.Stop(ctx, a.name, graceful, log)
			if err == nil || ctx.Err() != nil {
				return err
			}
		}
		a.report(limav1alpha1.Progress{Message: "stopping by force"})
		return a.client.StopForced(ctx, a.name, log)
	})
}

// launch is a limactl process that starts an instance.
type launch struct {
	done chan struct{} // closed when it has exited
	err  error         // set before done is closed
}

// launch starts the instance, unless it is already starting.
func (a *actions) launch(ctx context.Context, needed bool, log *os.File) *launch {
	l := &launch{done: make(chan struct{})}
	if !needed {
		close(l.done)
		return l
	}
	go func() {
		defer close(l.done)
		l.err = a.client.Start(ctx, a.name, a.Boot+limactlSlack, log)
	}()
	return l
}

// boot waits until the instance has booted, and first starts it unless it is booting
// already. On a timeout it stops what is running. When ctx ends, the boot continues.
func (a *actions) boot(ctx context.Context, start bool) error {
	if start {
		if err := a.client.ForgetBoot(a.name); err != nil {
			return err
		}
	}
	tooLong := &limactl.Error{Kind: limactl.TimedOut, Message: fmt.Sprintf("the virtual machine did not boot within %s", a.Boot)}
	waiting, cancel := context.WithTimeoutCause(ctx, a.Boot, tooLong)
	defer cancel()
	err := a.logged(func(log *os.File) error {
		l := a.launch(waiting, start, log)
		err := a.await(waiting, l)
		if err != nil {
			cancel()
		}
		select { // it only has to exit
		case <-l.done:
		case <-time.After(lastWords):
			cancel()
			<-l.done
		}
		return err
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	last := a.client.Boot(a.name)
	defer last.Close()
	if stage := last.Stage(); errors.Is(err, tooLong) && stage.Message != "" {
		err = &limactl.Error{Kind: limactl.TimedOut, Message: tooLong.Message + "; last progress: " + stage.Message}
	}
	return errors.Join(err, a.endLeft(ctx))
}

// endLeft stops processes that a failed boot left running.
func (a *actions) endLeft(ctx context.Context) error {
	if a.client.Processes(a.name) == (limactl.Processes{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	return a.stop(ctx, 0)
}

// await waits until the instance has booted, or has failed: limactl and the host agent
// have exited.
func (a *actions) await(ctx context.Context, l *launch) error {
	events, boot := a.client.Events(a.name), a.client.Boot(a.name)
	defer events.Close()
	defer boot.Close()
	ticker := time.NewTicker(bootPoll)
	defer ticker.Stop()
	starting := l.done // nil when it has exited
	for {
		state, err := events.State()
		stage := boot.Stage()
		a.report(limav1alpha1.Progress{Percent: ptr.To(stage.Percent), Message: stage.Message})
		switch {
		case err != nil:
			return err
		case state.Ready:
			return nil
		case starting == nil && a.client.Processes(a.name).HostAgent.PID == 0:
			return a.whyNot(l.err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-starting:
			starting = nil
		case <-ticker.C:
		}
	}
}

// whyNot returns why a boot failed: the host agent's log usually has a better reason
// than limactl's output.
func (a *actions) whyNot(failure error) error {
	if limactl.Unusable(failure) {
		return failure
	}
	otherwise := "the host agent exited before the virtual machine booted"
	if failure != nil {
		otherwise = failure.Error()
	}
	return a.client.Ended(a.name, otherwise)
}
