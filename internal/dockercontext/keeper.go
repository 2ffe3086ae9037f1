// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
)

// patience is how long State is Busy at most while a context is created. A check of a
// slow current context continues after that.
const patience = time.Second

// retry is the back-off after a failure.
var retry = wait.Backoff{Duration: time.Second, Factor: 2, Steps: 100, Cap: time.Minute}

// Target is the desired engine of a context.
type Target struct {
	// Host is the endpoint of the engine, as in DOCKER_HOST.
	Host string
	// Secret has the certificates for TLS; nil for a connection without TLS.
	Secret engine.Secret
	// SecretVersion is the version of the Secret: a new version is read again.
	SecretVersion string
}

func (t *Target) is(other *Target) bool {
	if t == nil || other == nil {
		return t == other
	}
	return t.Host == other.Host && t.SecretVersion == other.SecretVersion && (t.Secret == nil) == (other.Secret == nil) &&
		(t.Secret == nil || t.Secret.String() == other.Secret.String())
}

// State is the state of a [Keeper].
type State struct {
	// Busy is whether the keeper has not yet tried to apply the target.
	Busy bool
	// Name is the name of the context; empty if it does not exist.
	Name string
	// Err is why the last try failed; nil if it did not. The keeper retries.
	Err error
}

func (s State) is(other State) bool {
	return s.Busy == other.Busy && s.Name == other.Name && (s.Err == nil) == (other.Err == nil) &&
		(s.Err == nil || wording.Same(s.Err.Error(), other.Err.Error()))
}

// Config describes a [Keeper]. All fields but Overridden must be set.
type Config struct {
	// Name and Description are the name and the description of the context.
	Name, Description string
	// Dir is the directory of the user's contexts, see [Dir].
	Dir string
	// Overridden is the environment variable that overrides the current context, see
	// [Overridden]; if it is not empty, the keeper does not change the current context.
	Overridden string
	// Memory is the file that records the changes to revert. It outlives the keeper.
	Memory string
	Clock  clock.WithDelayedExecution
	Log    *slog.Logger
	// Changed is called when State has changed. It must not block.
	Changed func()
}

// Keeper keeps one context equal to its target. Its one goroutine reads and writes
// all files, so that a change has finished before it is reverted.
type Keeper struct {
	Config
	limit time.Duration // see answerLimit
	wake  chan struct{} // holds a value when the target has changed

	mu        sync.Mutex
	hasTarget bool               // guarded by mu; Want was called
	target    *Target            // guarded by mu; nil for no context
	cancel    context.CancelFunc // guarded by mu; cancels the current try; nil for none
	state     State              // guarded by mu
}

// NewKeeper returns a keeper that changes nothing before Start and Want. Its state has
// a context that an earlier keeper left.
func NewKeeper(cfg Config) (*Keeper, error) {
	if cfg.Name == "" || cfg.Dir == "" || cfg.Memory == "" || cfg.Clock == nil || cfg.Log == nil || cfg.Changed == nil {
		return nil, errors.New("a required field of the Docker context's configuration is not set")
	}
	k := &Keeper{Config: cfg, limit: answerLimit, wake: make(chan struct{}, 1)}
	// The first try reports a read error.
	if m, err := recall(cfg.Memory); err == nil && m != nil && open(m.Dir).has(m.Name) {
		k.state.Name = m.Name
	}
	return k, nil
}

// Want sets the target of the context; nil for no context. It does not wait: State is
// Busy until the keeper has tried to apply it. A check for another target is canceled.
func (k *Keeper) Want(target *Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hasTarget && target.is(k.target) {
		return
	}
	k.hasTarget, k.target, k.state.Busy = true, target, true
	if k.cancel != nil {
		k.cancel()
	}
	select {
	case k.wake <- struct{}{}:
	default: // a value is waiting
	}
}

// State returns the current state.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Start applies the target until ctx ends, and returns when the last try has
// finished. The context is kept, as the engine keeps running.
func (k *Keeper) Start(ctx context.Context) error {
	backoff := retry
	for {
		var again <-chan time.Time
		if err := k.try(ctx); err != nil {
			again = k.Clock.After(backoff.Step())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
			backoff = retry
		case <-again:
		}
	}
}

// try tries to apply the target, once.
func (k *Keeper) try(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.mu.Lock()
	hasTarget, target := k.hasTarget, k.target
	k.cancel = cancel
	select {
	case <-k.wake: // for the target of this try
	default:
	}
	k.mu.Unlock()
	if !hasTarget {
		return nil
	}
	var err error
	if target == nil {
		err = k.lower(ctx)
	} else {
		timer := k.Clock.AfterFunc(patience, func() { k.update(target, func(s *State) { s.Busy = false }) })
		err = k.raise(ctx, target)
		timer.Stop()
	}
	if ctx.Err() != nil {
		return nil // there is another target, or the keeper stops
	}
	switch before := k.State().Err; {
	case err == nil:
	case before != nil && wording.Same(before.Error(), err.Error()):
		err = before
	default:
		k.Log.Warn("updating the Docker context failed, will retry", "context", k.Name, "error", err)
	}
	k.update(target, func(s *State) { s.Busy, s.Err = false, err })
	return err
}

// update changes the state, unless there is another target by now.
func (k *Keeper) update(target *Target, change func(*State)) {
	k.mu.Lock()
	before := k.state
	if target.is(k.target) {
		change(&k.state)
	}
	changed := !k.state.is(before)
	k.mu.Unlock()
	if changed {
		k.Changed()
	}
}

// setName sets the name of the existing context, for any target.
func (k *Keeper) setName(name string) {
	k.mu.Lock()
	k.state.Name = name
	k.mu.Unlock()
}
