// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

const (
	ours = "rancher-desktop-test"
	// long is how long anything may take that must come true.
	long = time.Minute
)

// user is a user with a configuration of Docker's client and some RDDs.
type user struct {
	t        *testing.T
	dir      string
	contexts *contexts
}

func newUser(t *testing.T) *user {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "docker")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &user{t: t, dir: dir, contexts: open(dir)}
}

// has makes a context, and makes it the current one.
func (u *user) has(name, host string) {
	u.t.Helper()
	if host != "" {
		u.must(u.contexts.put(u.t.Context(), name, "the user's own", host, nil))
	}
	write(u.t, u.contexts.config.path, `{"credsStore": "x", "currentContext": "`+name+`"}`)
}

func (u *user) must(err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatal(err)
	}
}

// isCurrent checks which context is the current one.
func (u *user) isCurrent(want string) {
	u.t.Helper()
	if got, err := u.contexts.current(); got != want || err != nil {
		u.t.Errorf("the current context is %q, want %q: %v", got, want, err)
	}
}

// rdd is the keeper of an instance, which may end and start again.
type rdd struct {
	*Keeper
	u    *user
	stop func()
}

// start runs a keeper until it is stopped, or the test ends. change may change
// its configuration; nil for nothing.
func (u *user) start(name, memory string, change func(*Keeper)) *rdd {
	u.t.Helper()
	k, err := NewKeeper(Config{
		Name: name, Description: "of a test", Dir: u.dir, Memory: memory,
		Clock: clock.RealClock{}, Log: slog.New(slog.DiscardHandler), Changed: func() {},
	})
	u.must(err)
	if change != nil {
		change(k)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = k.Start(ctx) })
	r := &rdd{Keeper: k, u: u, stop: func() { cancel(); running.Wait() }}
	u.t.Cleanup(r.stop)
	return r
}

func (u *user) memory(name string) string { return filepath.Join(u.t.TempDir(), name+".json") }

// settled waits until what is wanted was tried, and returns why it failed.
func (r *rdd) settled() error {
	r.u.t.Helper()
	for deadline := time.Now().Add(long); r.State().Busy; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.u.t.Fatal("the keeper is busy for ever")
		}
	}
	return r.State().Err
}

// up wants a context, and waits until all is done for it.
func (r *rdd) up(host string) {
	r.u.t.Helper()
	r.Want(&Target{Host: host})
	r.u.must(r.settled())
	if got := r.State().Name; got != r.Name {
		r.u.t.Errorf("the context is %q", got)
	}
	if f, err := r.u.contexts.get(r.Name); err != nil || f.host != host {
		r.u.t.Errorf("the context says %+v: %v", f, err)
	}
}

func (r *rdd) down() {
	r.u.t.Helper()
	r.Want(nil)
	r.u.must(r.settled())
	if r.State().Name != "" || r.u.contexts.has(r.Name) {
		r.u.t.Errorf("the context is left behind: %+v", r.State())
	}
	if _, err := os.Stat(r.Memory); !errors.Is(err, fs.ErrNotExist) {
		r.u.t.Errorf("the memory is left behind: %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.u.dir, lockName)); !errors.Is(err, fs.ErrNotExist) {
		r.u.t.Errorf("the lock is left behind: %v", err)
	}
}

// hole returns an endpoint that takes connections and never answers, and waits
// until it has one.
func hole(t *testing.T) (endpoint string, connected func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hole") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 100)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		defer close(conns)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
		for conn := range conns {
			_ = conn.Close()
		}
	})
	return "unix://" + filepath.Join(dir, "s"), func() {
		t.Helper()
		select {
		case conn := <-conns:
			t.Cleanup(func() { _ = conn.Close() })
		case <-time.After(long):
			t.Fatal("no reader asks")
		}
	}
}

// TestCurrentContext: which contexts of the user's own give way, and to what the
// current one goes back.
func TestCurrentContext(t *testing.T) {
	engine, another := fakedocker.Run(t, fakedocker.Config{}), fakedocker.Run(t, fakedocker.Config{})
	nothing := "unix://" + filepath.Join(t.TempDir(), "no.sock")
	black, _ := hole(t)
	for name, test := range map[string]struct {
		name, host string
		gives      bool
	}{
		"healthy":           {"own", another.Endpoint(), false},
		"the same endpoint": {"own", engine.Endpoint(), false},
		"broken":            {"own", nothing, true},
		"hanging":           {"own", black, true},
		"missing":           {"own", "", true},
		"no such endpoint":  {"own", "gopher://somewhere", false},
		"unusual host":      {"own", "tcp://[", false},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.has(test.name, test.host)
			before := read(t, u.contexts.config.path)
			r := u.start(ours, u.memory(ours), func(k *Keeper) { k.limit = 200 * time.Millisecond })
			r.up(engine.Endpoint())
			if test.gives {
				u.isCurrent(ours)
			} else {
				u.isCurrent(test.name)
			}
			r.down()
			if got := read(t, u.contexts.config.path); got != before {
				t.Errorf("the configuration is %s, and was %s", got, before)
			}
			if test.host != "" && !u.contexts.has(test.name) {
				t.Error("the user's own context is gone")
			}
		})
	}
}

// TestOverridden: where the user's environment names the engine there is a
// context, and it does not become the current one.
func TestOverridden(t *testing.T) {
	for _, env := range []map[string]string{{"DOCKER_HOST": "unix:///x"}, {"DOCKER_CONTEXT": "x"}} {
		u := newUser(t)
		u.has("missing", "")
		name := Overridden(func(name string) string { return env[name] })
		if _, ok := env[name]; !ok {
			t.Errorf("%q overrides, want one of %v", name, env)
		}
		r := u.start(ours, u.memory(ours), func(k *Keeper) { k.Overridden = name })
		r.up("unix:///nowhere")
		u.isCurrent("missing")
		r.down()
	}
	if name := Overridden(func(string) string { return "" }); name != "" {
		t.Errorf("%s overrides, and is not set", name)
	}
}

// TestUserChoosesMeanwhile: whatever the user chooses while ours is current, or
// removes, is respected.
func TestUserChoosesMeanwhile(t *testing.T) {
	engine := fakedocker.Run(t, fakedocker.Config{})
	t.Run("another", func(t *testing.T) {
		u := newUser(t)
		u.has("missing", "")
		r := u.start(ours, u.memory(ours), nil)
		r.up(engine.Endpoint())
		u.isCurrent(ours)
		u.has("new", "unix:///nowhere")
		r.down()
		u.isCurrent("new")
	})
	t.Run("during the check", func(t *testing.T) {
		u := newUser(t)
		black, connected := hole(t)
		u.has("own", black)
		r := u.start(ours, u.memory(ours), func(k *Keeper) { k.limit = 500 * time.Millisecond })
		r.Want(&Target{Host: "unix:///nowhere"})
		connected()
		u.has("new", engine.Endpoint())
		u.must(r.settled())
		u.isCurrent("new")
	})
	t.Run("the one before is removed", func(t *testing.T) {
		u := newUser(t)
		u.has("own", "unix:///nowhere")
		r := u.start(ours, u.memory(ours), nil)
		r.up(engine.Endpoint())
		u.must(u.contexts.remove(t.Context(), "own"))
		r.down()
		u.isCurrent("")
	})
	t.Run("ours by hand", func(t *testing.T) {
		u := newUser(t)
		u.has("own", engine.Endpoint())
		r := u.start(ours, u.memory(ours), nil)
		r.up(engine.Endpoint())
		u.isCurrent("own")
		u.has(ours, "")
		r.down()
		u.isCurrent("")
	})
}

// TestStopDuringCheck: a stop ends the check that is under way, waits for it, and
// nothing comes back.
func TestStopDuringCheck(t *testing.T) {
	u := newUser(t)
	black, connected := hole(t)
	u.has("own", black)
	before := read(t, u.contexts.config.path)
	r := u.start(ours, u.memory(ours), func(k *Keeper) { k.limit = long })
	for range 5 {
		r.Want(&Target{Host: "unix:///nowhere"})
		connected()
		began := time.Now()
		r.down()
		if took := time.Since(began); took > long/2 {
			t.Errorf("the stop took %s", took)
		}
	}
	r.stop()
	if got := read(t, u.contexts.config.path); got != before {
		t.Errorf("the configuration is %s, and was %s", got, before)
	}
}

// TestSlowCheck: a check that takes long is not waited for, and has its effect.
func TestSlowCheck(t *testing.T) {
	u := newUser(t)
	black, connected := hole(t)
	u.has("own", black)
	changed := make(chan struct{}, 10)
	r := u.start(ours, u.memory(ours), func(k *Keeper) {
		k.limit = 3 * patience
		k.Changed = func() { changed <- struct{}{} }
	})
	r.Want(&Target{Host: "unix:///nowhere"})
	connected()
	<-changed
	if r.State().Busy {
		t.Error("it is busy after its patience")
	}
	u.isCurrent("own")
	if got := r.State().Name; got != ours {
		t.Errorf("the context is %q", got)
	}
	for deadline := time.Now().Add(long); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if current, _ := u.contexts.current(); current == ours {
			return
		}
	}
	t.Error("ours never is the current one")
}

// TestEndOfDaemon: the context stays when the daemon ends, even in the middle of
// a check, and the next one takes it back, in the directory where it was made.
func TestEndOfDaemon(t *testing.T) {
	engine := fakedocker.Run(t, fakedocker.Config{})
	u := newUser(t)
	u.has("own", "unix:///nowhere")
	memory := u.memory(ours)
	first := u.start(ours, memory, nil)
	first.up(engine.Endpoint())
	first.stop()
	u.isCurrent(ours)

	second := u.start(ours, memory, nil)
	if got := second.State().Name; got != ours {
		t.Errorf("the next one knows of %q", got)
	}
	second.up(engine.Endpoint())
	u.isCurrent(ours)
	second.stop()

	// The third one has another environment.
	elsewhere := newUser(t)
	elsewhere.has("missing", "")
	third := elsewhere.start(ours, memory, nil)
	third.up(engine.Endpoint())
	u.isCurrent("own")
	if u.contexts.has(ours) {
		t.Error("the context of before is left behind")
	}
	elsewhere.isCurrent(ours)
	third.stop()

	u.must(Forget(t.Context(), memory))
	elsewhere.isCurrent("missing")
	if elsewhere.contexts.has(ours) {
		t.Error("the context is left behind")
	}
	u.must(Forget(t.Context(), memory)) // of nothing
}

// TestTwoInstances: the later takes nothing from a healthy first, also where they
// begin at once.
func TestTwoInstances(t *testing.T) {
	engines := []*fakedocker.Server{fakedocker.Run(t, fakedocker.Config{}), fakedocker.Run(t, fakedocker.Config{})}
	names := []string{"rancher-desktop-a", "rancher-desktop-b"}
	for range 20 {
		u := newUser(t)
		u.has("own", "unix:///nowhere")
		both := []*rdd{u.start(names[0], u.memory("a"), nil), u.start(names[1], u.memory("b"), nil)}
		for i, r := range both {
			r.Want(&Target{Host: engines[i].Endpoint()})
		}
		for _, r := range both {
			u.must(r.settled())
		}
		current, err := u.contexts.current()
		u.must(err)
		first, second := both[0], both[1]
		if current == names[1] {
			first, second = second, first
		}
		u.isCurrent(first.Name)
		second.down()
		u.isCurrent(first.Name)
		second.up(engines[0].Endpoint())
		u.isCurrent(first.Name)
		first.down()
		u.isCurrent("own")
		second.down()
	}
}

// TestReadOnly: what can't be written is an error that says so, the context is
// there all the same, and it is mended by itself.
func TestReadOnly(t *testing.T) {
	u := newUser(t)
	u.has("missing", "")
	u.must(os.Chmod(u.contexts.config.path, 0o400))
	r := u.start(ours, u.memory(ours), nil)
	r.Want(&Target{Host: "unix:///nowhere"})
	err := r.settled()
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "read-only") || !strings.Contains(err.Error(), u.contexts.config.path) {
		t.Errorf("the error is %v", err)
	}
	if !u.contexts.has(ours) || r.State().Name != ours {
		t.Error("there is no context")
	}
	u.isCurrent("missing")
	u.must(os.Chmod(u.contexts.config.path, 0o600))
	for deadline := time.Now().Add(long); r.State().Err != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still %v", r.State().Err)
		}
	}
	u.isCurrent(ours)
	u.must(os.Chmod(u.contexts.config.path, 0o400))
	r.Want(nil)
	if err := r.settled(); !errors.Is(err, fs.ErrPermission) || !u.contexts.has(ours) {
		t.Errorf("a context that can't be given up: %v", err)
	}
	u.must(os.Chmod(u.contexts.config.path, 0o600))
	r.Want(&Target{Host: "unix:///nowhere"})
	u.must(r.settled())
	r.down()
	u.isCurrent("missing")
}
