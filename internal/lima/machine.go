// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
)

// machine is the controller's memory of a LimaVM. Only the one reconcile at a time of
// the LimaVM uses it.
type machine struct {
	uid      types.UID
	op       *operation // nil for none
	watch    *watch     // nil for none
	attempts attempts
	checked  checked
	// restarting is whether the next start is a restart.
	restarting bool
	// died is whether the virtual machine stopped by itself.
	died bool
	// since is when it was first observed running.
	since time.Time
	// ending is when the virtual machine was first observed stopped while its host
	// agent was not.
	ending time.Time
}

// checked is the last validated template, and the result.
type checked struct {
	text, has string
	err       error
}

// machines has the known LimaVMs, and what is running for them. What limactl has
// started outlives the manager.
type machines struct {
	background.Group
	waker background.Waker

	mu   sync.Mutex
	list map[reconcile.Request]*machine // guarded by mu
}

// get returns the machine of a request, creating it if there is none. A machine of an
// earlier object of that name is dropped.
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
		made.op = known.op // wait for its completion
	}
	if m.list == nil {
		m.list = map[reconcile.Request]*machine{}
	}
	m.list[request] = made
	return made
}

// forget drops the machine of a request, if there is one.
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

// wake returns a function that enqueues a request after a delay.
func (m *machines) wake(request reconcile.Request) func(time.Duration) {
	return func(after time.Duration) { m.waker.WakeAfter(request, after) }
}

// crashLoop is the number of consecutive failures that is reported as a crash loop.
const crashLoop = 5

// attempts counts consecutive failures.
type attempts struct {
	// generation, and the resource version of the template, identify the desired state:
	// a change resets the count.
	generation int64
	template   string

	failures int
	backoff  wait.Backoff // valid after the first failure
	kind     opKind       // of the failed operation
	err      error        // the last failure; nil for none
	until    time.Time
}

// of resets the count if the desired state is another one.
func (a *attempts) of(generation int64, template string) {
	if a.generation != generation || a.template != template {
		*a = attempts{generation: generation, template: template}
	}
}

// fail records a failure.
func (a *attempts) fail(cfg Config, kind opKind, err error) {
	if a.failures == 0 {
		a.backoff = wait.Backoff{Duration: min(cfg.FirstPause, cfg.LongestPause), Factor: 2, Steps: 100, Cap: cfg.LongestPause}
	}
	a.failures++
	a.kind, a.err = kind, err
	a.until = cfg.Clock.Now().Add(a.backoff.Step())
}

// looping reports whether starts keep failing, and another one may succeed.
func (a *attempts) looping() bool {
	return a.failures >= crashLoop && a.kind == opBoot && !limactl.Permanent(a.err)
}
