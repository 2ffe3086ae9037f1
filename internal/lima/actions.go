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
	// bootPoll is how often it is looked how far a boot is.
	bootPoll = 200 * time.Millisecond
	// lastWords is how long limactl may take to end when the machine has booted.
	lastWords = 5 * time.Second
	// cleanupLimit is how long the end of what a failed boot left may take.
	cleanupLimit = time.Minute
	// limactlSlack is how much longer limactl itself waits for a boot.
	limactlSlack = time.Minute
)

// actions are what operations do with one instance of Lima's. limactl's words go
// to a log of the instance's own.
type actions struct {
	Config
	client *limactl.Client
	name   string
	tell   func(limav1alpha1.Progress)
}

// logged does something with the log open.
func (a *actions) logged(do func(log *os.File) error) error {
	log, err := openLog(a.Config, a.name)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	return do(log)
}

// create makes the instance.
func (a *actions) create(ctx context.Context, template string) error {
	a.tell(limav1alpha1.Progress{Message: "making the virtual machine"})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if cache, err := os.UserCacheDir(); err == nil {
			watchDownload(ctx, cache, images(template), a.tell)
		}
	}()
	err := a.logged(func(log *os.File) error { return a.client.Create(ctx, a.name, template, log) })
	cancel()
	<-watched
	return err
}

// edit gives the instance another template.
func (a *actions) edit(ctx context.Context, template string) error {
	a.tell(limav1alpha1.Progress{Message: "applying the template"})
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
	a.tell(limav1alpha1.Progress{Message: "removing the virtual machine"})
	return a.remove(ctx)
}

// stop stops the instance: gracefully, if it may take some time, and else, or
// when that has not come about, by force.
func (a *actions) stop(ctx context.Context, graceful time.Duration) error {
	return a.logged(func(log *os.File) error {
		if graceful > 0 {
			a.tell(limav1alpha1.Progress{Message: fmt.Sprintf("stopping, by force in %s", graceful)})
			err := a.client.Stop(ctx, a.name, graceful, log)
			if err == nil || ctx.Err() != nil {
				return err
			}
		}
		a.tell(limav1alpha1.Progress{Message: "stopping by force"})
		return a.client.StopForced(ctx, a.name, log)
	})
}

// launch is a limactl that starts an instance.
type launch struct {
	over chan struct{} // closed when it has ended
	err  error         // set before over is closed
}

// launch starts the instance, or does nothing where another has done that.
func (a *actions) launch(ctx context.Context, needed bool, log *os.File) *launch {
	l := &launch{over: make(chan struct{})}
	if !needed {
		close(l.over)
		return l
	}
	go func() {
		defer close(l.over)
		l.err = a.client.Start(ctx, a.name, a.Boot+limactlSlack, log)
	}()
	return l
}

// boot waits until the instance has booted, and starts it first where it is not
// booting already. When the time is over, what runs is ended. When ctx ends, the
// boot goes on.
func (a *actions) boot(ctx context.Context, start bool) error {
	if start {
		if err := a.client.ForgetBoot(a.name); err != nil {
			return err
		}
	}
	tooLong := &limactl.Error{Kind: limactl.TimedOut, Message: fmt.Sprintf("it did not boot within %s", a.Boot)}
	waiting, cancel := context.WithTimeoutCause(ctx, a.Boot, tooLong)
	defer cancel()
	err := a.logged(func(log *os.File) error {
		l := a.launch(waiting, start, log)
		err := a.await(waiting, l)
		if err != nil {
			cancel()
		}
		select { // it has nothing to do any more but to end
		case <-l.over:
		case <-time.After(lastWords):
			cancel()
			<-l.over
		}
		return err
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	last := a.client.Boot(a.name)
	defer last.Close()
	if stage := last.Stage(); errors.Is(err, tooLong) && stage.Message != "" {
		err = &limactl.Error{Kind: limactl.TimedOut, Message: tooLong.Message + "; the last that was heard of it: " + stage.Message}
	}
	return errors.Join(err, a.endLeft(ctx))
}

// endLeft ends what a failed boot has left running, if anything.
func (a *actions) endLeft(ctx context.Context) error {
	if a.client.Processes(a.name) == (limactl.Processes{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	return a.stop(ctx, 0)
}

// await waits until the instance has booted, or can't any more: limactl has ended
// and so has the host agent.
func (a *actions) await(ctx context.Context, l *launch) error {
	events, boot := a.client.Events(a.name), a.client.Boot(a.name)
	defer events.Close()
	defer boot.Close()
	ticker := time.NewTicker(bootPoll)
	defer ticker.Stop()
	starting := l.over // nil when it has ended
	for {
		state, err := events.State()
		stage := boot.Stage()
		a.tell(limav1alpha1.Progress{Percent: ptr.To(stage.Percent), Message: stage.Message})
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

// whyNot returns why a boot has failed: the host agent's log says more than
// limactl, as a rule.
func (a *actions) whyNot(failure error) error {
	if limactl.Unusable(failure) {
		return failure
	}
	otherwise := "the host agent ended before the virtual machine had booted"
	if failure != nil {
		otherwise = failure.Error()
	}
	return a.client.Ended(a.name, otherwise)
}
