// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// stopGrace is how long a task may take to end after the signal for it, where
	// nerdctl has noted nothing else; Docker's is this. maxStopSeconds is the
	// longest that is taken from a note.
	stopGrace      = 10 * time.Second
	maxStopSeconds = 24 * 60 * 60
	// killGrace is how long one may take that was killed.
	killGrace = 20 * time.Second
	// createGrace is how long a task that was being made may be in the way of
	// another before it is removed, and createLimit when that is given up. It is
	// looked at after each createPause.
	createGrace = 5 * time.Second
	createLimit = 20 * time.Second
	createPause = 50 * time.Millisecond

	sigkill = 9
	sigterm = 15
)

// start starts a container: its task, or a new one in the place of one that has
// ended.
func (e *Engine) start(ctx context.Context, key engine.Key, c *containersapi.Container, process *task.Process) error {
	switch process.GetStatus() {
	case task.Status_RUNNING, task.Status_PAUSING:
		return nil
	case task.Status_PAUSED:
		return refuse(key, process, "unpause it instead")
	}
	if ofCRI(c) {
		if known, err := e.criStart(ctx, c); known || err != nil {
			return err
		}
	}
	// The restart monitor looks after it before it runs: one that is found to run is
	// started, and not looked at again.
	err := e.unwatched(ctx, key, c, map[string]string{restartStoppedLabel: "false", restartStatusLabel: "running"}, func() error {
		if process.GetStatus() == task.Status_CREATED {
			return nil
		}
		return e.createTask(ctx, key, c, process)
	})
	if err != nil {
		return err
	}
	if _, err := e.tasks.Start(in(ctx, key.Namespace), &tasksapi.StartRequest{ContainerID: key.ID}); err != nil {
		if now, failure := e.task(ctx, key); failure == nil && now.GetStatus() == task.Status_RUNNING {
			return nil // another client was quicker, or this daemon was before it was killed
		}
		// What was made for a program that can't be run is of no use.
		_, _ = e.tasks.Delete(in(context.WithoutCancel(ctx), key.Namespace), &tasksapi.DeleteTaskRequest{ContainerID: key.ID})
		return e.refusal(err)
	}
	return nil
}

// unwatched does something with a container that the restart monitor may look after,
// which then goes by the labels in after. The monitor deletes the task, and with it the
// exit code, of one that is to run and does not, and of one that runs and is not to:
// until then it is to be neither.
func (e *Engine) unwatched(ctx context.Context, key engine.Key, c *containersapi.Container, after map[string]string, do func() error) error {
	noted := c.GetLabels()
	if noted[restartStatusLabel] == "" {
		return do()
	}
	if err := e.label(ctx, key, map[string]string{restartStatusLabel: "unknown"}); err != nil {
		return err
	}
	err := do()
	if errors.Is(err, engine.ErrRefused) { // it is as it was, and looked after as before
		_ = e.label(ctx, key, map[string]string{restartStatusLabel: noted[restartStatusLabel]})
	}
	if err != nil {
		return err
	}
	return e.label(ctx, key, after)
}

// createTask makes a task, after that of the run before is deleted.
func (e *Engine) createTask(ctx context.Context, key engine.Key, c *containersapi.Container, before *task.Process) error {
	unscoped := ctx
	ctx = in(ctx, key.Namespace)
	request := &tasksapi.CreateTaskRequest{ContainerID: key.ID, Terminal: specOf(c).Process.Terminal}
	request.Stdout = output(c, before)
	request.Stderr = request.Stdout
	if request.Terminal && !strings.HasPrefix(request.Stdout, "binary") {
		return fmt.Errorf("%w: the terminal of container %s belongs to the client that created it: start it with that client", engine.ErrRefused, key.ID)
	}
	if c.GetSnapshotKey() != "" {
		mounts, err := e.snapshots.Mounts(ctx, &snapshotsapi.MountsRequest{Snapshotter: c.GetSnapshotter(), Key: c.GetSnapshotKey()})
		if err = e.refusal(err); errors.Is(err, engine.ErrNotFound) { // it is not the container that there is not
			return fmt.Errorf("%w: the file system of container %s was removed: snapshot %q of the snapshotter %q", engine.ErrRefused, key.ID,
				c.GetSnapshotKey(), c.GetSnapshotter())
		}
		if err != nil {
			return err
		}
		request.Rootfs = mounts.GetMounts()
	}
	if before != nil {
		_, err := e.tasks.Delete(ctx, &tasksapi.DeleteTaskRequest{ContainerID: key.ID})
		if err = e.refusal(err); err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
	}
	for began := time.Now(); ; {
		_, err := e.tasks.Create(ctx, request)
		if err = e.refusal(err); !inTheWay(err) || time.Since(began) > createLimit {
			return err
		}
		// A task that a client was making when it was killed is in the way, and
		// can't be seen. Most often containerd finishes it or takes it back.
		if process, err := e.task(unscoped, key); err != nil || process != nil {
			return err
		}
		if time.Since(began) > createGrace {
			e.clearTask(unscoped, key) // some versions leave its shim for ever
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(createPause):
		}
	}
}

// inTheWay reports whether a task could not be made as there is one, or its
// directory, for which version 1.6 has no kind of error, or what runc keeps of it,
// for which no version has.
func inTheWay(err error) bool {
	if err == nil {
		return false
	}
	return errors.Is(err, errdefs.ErrAlreadyExists) || strings.Contains(err.Error(), "file exists") || strings.Contains(err.Error(), "already exists")
}

// clearTask removes what is left of a task that can't be seen, if anything is.
func (e *Engine) clearTask(ctx context.Context, key engine.Key) {
	_, _ = e.tasks.Delete(in(ctx, key.Namespace), &tasksapi.DeleteTaskRequest{ContainerID: key.ID})
}

// output returns where a new task of a container is to write, empty for
// nowhere: where its maker said, or where the task before wrote, if that was no
// pipe to a client that has gone.
func output(c *containersapi.Container, before *task.Process) string {
	noted := c.GetLabels()
	candidate := cmp.Or(noted[nerdctlLogURI], noted[restartLogURILabel], before.GetStdout())
	if address, err := url.Parse(candidate); err == nil {
		switch address.Scheme {
		case "file", "binary", "binary-v2":
			return candidate
		}
	}
	return ""
}

// stop ends a container's task as the image asks for, and kills it where it does
// not end. The task stays, as it has the exit code.
func (e *Engine) stop(ctx context.Context, key engine.Key, c *containersapi.Container, process *task.Process) error {
	// Policies go by the one or the other.
	stopped := map[string]string{restartStoppedLabel: "true", restartStatusLabel: "stopped"}
	return e.unwatched(ctx, key, c, stopped, func() error { return e.stopTask(ctx, key, c, process) })
}

func (e *Engine) stopTask(ctx context.Context, key engine.Key, c *containersapi.Container, process *task.Process) error {
	switch process.GetStatus() {
	case task.Status_UNKNOWN, task.Status_STOPPED:
		return nil // there is none, or it has ended
	case task.Status_CREATED:
		return e.end(ctx, key, process)
	}
	if grace := labels(c.GetLabels()).stopGrace(); grace > 0 {
		if err := e.signal(ctx, key, process, signalNumber(cmp.Or(c.GetLabels()[stopSignalLabel], criMetadataOf(c).StopSignal))); err != nil {
			return err
		}
		if ended, err := e.wait(ctx, key, grace); ended || err != nil {
			return err
		}
	}
	return e.kill(ctx, key, process)
}

// end kills a task, and deletes it.
func (e *Engine) end(ctx context.Context, key engine.Key, process *task.Process) error {
	if status := process.GetStatus(); status != task.Status_STOPPED && status != task.Status_UNKNOWN {
		if err := e.kill(ctx, key, process); err != nil {
			return err
		}
	}
	_, err := e.tasks.Delete(in(ctx, key.Namespace), &tasksapi.DeleteTaskRequest{ContainerID: key.ID})
	if err = e.refusal(err); errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// kill ends a task for sure.
func (e *Engine) kill(ctx context.Context, key engine.Key, process *task.Process) error {
	if err := e.signal(ctx, key, process, sigkill); err != nil {
		return err
	}
	ended, err := e.wait(ctx, key, killGrace)
	if err == nil && !ended {
		err = fmt.Errorf("%w: container %s does not exit after it was killed", engine.ErrRefused, key.ID)
	}
	return err
}

// signal sends a signal to the container's process, and lets a paused one run to
// take it. A task that has ended is no error.
func (e *Engine) signal(ctx context.Context, key engine.Key, process *task.Process, number uint32) error {
	ctx = in(ctx, key.Namespace)
	_, err := e.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: key.ID, Signal: number, All: number == sigkill})
	if err = e.refusal(err); err != nil && !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	if process.GetStatus() == task.Status_PAUSED || process.GetStatus() == task.Status_PAUSING {
		_, err := e.tasks.Resume(ctx, &tasksapi.ResumeTaskRequest{ContainerID: key.ID})
		if err = e.refusal(err); err != nil && !errors.Is(err, engine.ErrRefused) && !errors.Is(err, engine.ErrNotFound) {
			return err // a refusal is of one that runs again, or has ended
		}
	}
	return nil
}

// wait waits for the end of a task, and reports whether it came in time.
func (e *Engine) wait(ctx context.Context, key engine.Key, limit time.Duration) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := e.tasks.Wait(in(limited, key.Namespace), &tasksapi.WaitRequest{ContainerID: key.ID})
	if err == nil {
		return true, nil
	}
	if limited.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	if err = e.translate(err); errors.Is(err, engine.ErrNotFound) {
		return true, nil // another client has deleted it
	}
	return false, err
}

// signalNumber returns the number that Linux has for a signal: the containers
// run there, wherever this program does. Unknown ones are SIGTERM.
func signalNumber(name string) uint32 {
	if number, err := strconv.ParseUint(name, 10, 8); err == nil && number > 0 {
		return uint32(number)
	}
	name = strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if offset, ok := strings.CutPrefix(name, "RTMIN+"); ok {
		if number, err := strconv.ParseUint(offset, 10, 5); err == nil {
			return uint32(34 + number) // signal(7); the C library keeps the first two
		}
	}
	switch name {
	case "HUP":
		return 1
	case "INT":
		return 2
	case "QUIT":
		return 3
	case "KILL":
		return sigkill
	case "USR1":
		return 10
	case "USR2":
		return 12
	case "WINCH":
		return 28
	case "PWR":
		return 30
	}
	return sigterm
}
