// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

// eventsPoll is the interval between reads of a host agent's events on systems that
// don't report changes of files.
const eventsPoll = 2 * time.Second

// watch waits for changes of a running virtual machine.
type watch struct {
	processes limactl.Processes
	cancel    context.CancelFunc
}

// observe watches a virtual machine: the exit of its processes, and events of its host
// agent, wake the reconciler.
func (m *machines) observe(client *limactl.Client, name string, processes limactl.Processes, state limactl.State, wake func(time.Duration)) *watch {
	cancel, started := m.Go(context.Background(), func(ctx context.Context) {
		var wg sync.WaitGroup
		defer wg.Wait()
		for _, id := range []process.ID{processes.HostAgent, processes.Driver} {
			if id.PID != 0 {
				wg.Go(func() {
					if id.Wait(ctx) == nil {
						wake(0)
					}
				})
			}
		}
		listen(ctx, client, name, state, func() { wake(0) })
	})
	if !started {
		return nil
	}
	return &watch{processes: processes, cancel: cancel}
}

// listen reads the events of a host agent until ctx ends, and reports changes of the
// state. It watches the file, not its directory, in which the disk changes all the
// time.
func listen(ctx context.Context, client *limactl.Client, name string, last limactl.State, changed func()) {
	var changes chan fsnotify.Event // nil if the system does not report changes
	var lost chan error             // reports that events may be lost
	poll := eventsPoll
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer func() { _ = watcher.Close() }()
		if watcher.Add(client.EventsFile(name)) == nil {
			changes, lost, poll = watcher.Events, watcher.Errors, time.Hour
		}
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	events := client.Events(name)
	defer events.Close()
	for {
		state, err := events.State()
		if err == nil && !state.Equal(last) {
			last = state
			changed()
		}
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case _, ok := <-lost:
			if !ok {
				lost = nil
			}
		case <-ticker.C:
		}
	}
}
