// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
)

// machine is what the controller keeps in mind of a LimaVM. It belongs to the
// reconciles of that, of which there is one at a time.
type machine struct {
	uid      types.UID
	op       *operation // nil for none
	watch    *watch     // nil for none
	attempts attempts
	checked  checked
	// restarting says that the next start is one of a machine that ran, or was to.
	restarting bool
	// died says that its virtual machine has ended by itself.
	died bool
	// since is when it was first seen to run.
	since time.Time
	// ending is since when its virtual machine is gone, and its host agent not yet.
	ending time.Time
}

// checked is the template that was last checked, and what came of it.
type checked struct {
	text, has string
	err       error
}

// machines are the LimaVMs that the controller knows, and what runs for them. What
// limactl has started outlives the manager.
type machines struct {
	background.Group
	waker background.Waker

	mu   sync.Mutex
	list map[reconcile.Request]*machine // guarded by mu
}

// get returns the machine of a request, which is made where there is none. One
// of another object of that name is given up.
func (m *machines) get(request reconcile.Request, uid types.UID) *machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.list[request]
	if known != nil && known.uid == uid {
		return known
	}
	made := &machine{uid: uid}
	if known != nil {
		known.giveUp()
		made.op = known.op // its end is waited for
	}
	if m.list == nil {
		m.list = map[reconcile.Request]*machine{}
	}
	m.list[request] = made
	return made
}

// forget gives the machine of a request up, if there is one.
func (m *machines) forget(request reconcile.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.list[request]; known != nil {
		known.giveUp()
		delete(m.list, request)
	}
}

func (m *machine) giveUp() {
	if m.op != nil {
		m.op.Cancel()
	}
	if m.watch != nil {
		m.watch.cancel()
		m.watch = nil
	}
}

// wake returns what has a request reconciled after a time.
func (m *machines) wake(request reconcile.Request) func(time.Duration) {
	return func(after time.Duration) { m.waker.WakeAfter(request, after) }
}

// crashLoop is how many failures in a row are one.
const crashLoop = 5

// attempts counts what has failed in a row.
type attempts struct {
	// generation, and the resource version of the template, are of what was asked
	// for: something else begins anew.
	generation int64
	template   string

	failures int
	backoff  wait.Backoff // valid after the first failure
	kind     opKind       // of the last failure
	err      error        // the last failure; nil for none
	until    time.Time
}

// of forgets failures of what is no longer asked for.
func (a *attempts) of(generation int64, template string) {
	if a.generation != generation || a.template != template {
		*a = attempts{generation: generation, template: template}
	}
}

// fail counts a failure.
func (a *attempts) fail(cfg Config, kind opKind, err error) {
	if a.failures == 0 {
		a.backoff = wait.Backoff{Duration: min(cfg.FirstPause, cfg.LongestPause), Factor: 2, Steps: 100, Cap: cfg.LongestPause}
	}
	a.failures++
	a.kind, a.err = kind, err
	a.until = cfg.Clock.Now().Add(a.backoff.Step())
}

func (a *attempts) looping() bool { return a.failures >= crashLoop && a.kind == opBoot }
