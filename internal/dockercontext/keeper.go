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

// patience is how long others are told that a context is being made. A current
// context that is slow to answer is not waited for longer.
const patience = time.Second

// retry is the back-off after a failure.
var retry = wait.Backoff{Duration: time.Second, Factor: 2, Steps: 100, Cap: time.Minute}

// Target is an engine that a context is wanted for.
type Target struct {
	// Host is its endpoint, as in DOCKER_HOST.
	Host string
	// Secret has the certificates where the connection is with TLS; nil for
	// without.
	Secret engine.Secret
	// SecretVersion is that of the Secret: another one is read again.
	SecretVersion string
}

func (t *Target) is(other *Target) bool {
	if t == nil || other == nil {
		return t == other
	}
	return t.Host == other.Host && t.SecretVersion == other.SecretVersion && (t.Secret == nil) == (other.Secret == nil) &&
		(t.Secret == nil || t.Secret.String() == other.Secret.String())
}

// State is how far a [Keeper] is.
type State struct {
	// Busy says that what is wanted has not been tried yet.
	Busy bool
	// Name is the context's while there is one, else empty.
	Name string
	// Err is why the last try failed; nil where it did not. It is tried again.
	Err error
}

func (s State) is(other State) bool {
	return s.Busy == other.Busy && s.Name == other.Name && (s.Err == nil) == (other.Err == nil) &&
		(s.Err == nil || wording.Same(s.Err.Error(), other.Err.Error()))
}

// Config describes a [Keeper]. All fields but Overridden must be set.
type Config struct {
	// Name is the context's, and Description what the client says of it.
	Name, Description string
	// Dir is where the user's contexts are, see [Dir].
	Dir string
	// Overridden is what keeps the context from becoming the current one, see
	// [Overridden]; empty for nothing.
	Overridden string
	// Memory is the file for what there is to take back. It outlives the keeper.
	Memory string
	Clock  clock.WithDelayedExecution
	Log    *slog.Logger
	// Changed is called when State has changed. It must not wait for anything.
	Changed func()
}

// Keeper keeps one context as it is wanted. All files are read and written by
// its one goroutine, so that what was begun for an engine has ended before it is
// taken back.
type Keeper struct {
	Config
	limit time.Duration // see answerLimit
	wake  chan struct{} // holds a value when something else is wanted

	mu     sync.Mutex
	asked  bool               // guarded by mu; that anything is wanted
	target *Target            // guarded by mu; nil for no context
	cancel context.CancelFunc // guarded by mu; ends the try under way; nil for none
	state  State              // guarded by mu
}

// NewKeeper returns a keeper that changes nothing before Start, nor before it is
// told what is wanted. It knows of a context that one before it has left.
func NewKeeper(cfg Config) (*Keeper, error) {
	if cfg.Name == "" || cfg.Dir == "" || cfg.Memory == "" || cfg.Clock == nil || cfg.Log == nil || cfg.Changed == nil {
		return nil, errors.New("the keeper of a Docker context lacks a part of its configuration")
	}
	k := &Keeper{Config: cfg, limit: answerLimit, wake: make(chan struct{}, 1)}
	// What can't be read is told by the first try.
	if m, err := recall(cfg.Memory); err == nil && m != nil && open(m.Dir).has(m.Name) {
		k.state.Name = m.Name
	}
	return k, nil
}

// Want says what the context is to be for; nil for none. It does not wait: State
// is Busy until that has been tried. A check under way for something else ends.
func (k *Keeper) Want(target *Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked && target.is(k.target) {
		return
	}
	k.asked, k.target, k.state.Busy = true, target, true
	if k.cancel != nil {
		k.cancel()
	}
	select {
	case k.wake <- struct{}{}:
	default: // it is known already
	}
}

// State returns how far the keeper is.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Start does what is wanted until ctx ends, and returns when nothing is under
// way any more. The context stays: so does the engine.
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

// try does what is wanted, once.
func (k *Keeper) try(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.mu.Lock()
	asked, target := k.asked, k.target
	k.cancel = cancel
	select {
	case <-k.wake: // for what is done now
	default:
	}
	k.mu.Unlock()
	if !asked {
		return nil
	}
	var err error
	if target == nil {
		err = k.lower(ctx)
	} else {
		timer := k.Clock.AfterFunc(patience, func() { k.tell(target, func(s *State) { s.Busy = false }) })
		err = k.raise(ctx, target)
		timer.Stop()
	}
	if ctx.Err() != nil {
		return nil // something else is wanted, or nothing any more
	}
	switch before := k.State().Err; {
	case err == nil:
	case before != nil && wording.Same(before.Error(), err.Error()):
		err = before
	default:
		k.Log.Warn("keeping the Docker context failed, will try again", "context", k.Name, "error", err)
	}
	k.tell(target, func(s *State) { s.Busy, s.Err = false, err })
	return err
}

// tell changes the state, unless something else is wanted by now.
func (k *Keeper) tell(target *Target, change func(*State)) {
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

// setName says whether there is a context, whatever is wanted by now.
func (k *Keeper) setName(name string) {
	k.mu.Lock()
	k.state.Name = name
	k.mu.Unlock()
}
