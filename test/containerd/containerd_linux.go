// SPDX-License-Identifier: Apache-2.0

// Package containerd runs real containerds for tests, as root, each in
// directories and on a socket of its own.
package containerd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// Namespace is where the image is, and what the tests do.
	Namespace = "default"

	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
	poll         = 20 * time.Millisecond
)

// configuration leaves out what looks for clusters, and keeps all that is
// written in the engine's directory.
const configuration = `version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.restart", "io.containerd.nri.v1.nri"]
[plugins."io.containerd.internal.v1.opt"]
  path = %q
`

// TB is what is needed of a test, or of a benchmark that is none of Go's:
// [testing.TB] has it.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatal(args ...any) // does not return
	Fatalf(format string, args ...any)
}

// Engine is a running containerd.
type Engine struct {
	Client *client.Client

	tb      TB
	program Program
	dir     string
	cmd     *exec.Cmd
	exited  chan struct{}
	images  int // made so far
}

// Start runs a containerd until the test ends. Where its program is not there,
// or no right to run it, the test fails: it has nothing to test.
func Start(tb TB, program Program) *Engine {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("a real containerd is needed, which only root can start: run the tests as root")
	}
	if err := program.installed(); err != nil {
		tb.Fatalf("%s is needed: %v", program, err)
	}
	dir, err := os.MkdirTemp("", "rdd-containerd-") // short, for sockets
	if err != nil {
		tb.Fatal(err)
	}
	e := &Engine{tb: tb, program: program, dir: dir}
	tb.Cleanup(e.cleanup)
	if err := os.WriteFile(e.path("config.toml"), fmt.Appendf(nil, configuration, e.path("opt")), 0o600); err != nil {
		tb.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+e.path("c.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: poll, Multiplier: 1, MaxDelay: poll}, MinConnectTimeout: time.Second}))
	if err != nil {
		tb.Fatal(err)
	}
	if e.Client, err = client.NewWithConn(conn, client.WithDefaultRuntime("io.containerd.runc.v2")); err != nil {
		tb.Fatal(err)
	}
	e.Start()
	e.importBusybox()
	return e
}

// Endpoint returns where it listens.
func (e *Engine) Endpoint() string { return "unix://" + e.path("c.sock") }

// Listen opens a port that containerd reaches.
func (e *Engine) Listen() net.Listener {
	e.tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(e.tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		e.tb.Fatal(err)
	}
	return listener
}

// Dir is a directory that goes with the engine.
func (e *Engine) Dir() string { return e.dir }

func (e *Engine) path(name string) string { return filepath.Join(e.dir, name) }

// In returns a context for calls about a namespace.
func In(ctx context.Context, namespace string) context.Context {
	return namespaces.WithNamespace(ctx, namespace)
}

// Start starts it again after Kill, and waits until it answers.
func (e *Engine) Start() {
	e.tb.Helper()
	if err := e.start(); err != nil {
		e.tb.Fatal(err)
	}
}

func (e *Engine) start() error {
	log, err := os.OpenFile(e.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	e.cmd, err = e.program.command("--config", e.path("config.toml"), "--root", e.path("root"), "--state", e.path("state"), "--address", e.path("c.sock"))
	if err != nil {
		return err
	}
	e.cmd.Stdout, e.cmd.Stderr = log, log
	// It dies with the test, however that ends.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.cmd.Start(); err != nil {
		return err
	}
	e.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		defer close(exited)
		_ = cmd.Wait()
	}(e.cmd, e.exited)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(poll) {
		if serving, err := e.Client.IsServing(context.Background()); err == nil && serving {
			return nil
		}
		if e.ended() {
			return fmt.Errorf("%s ended: %s", e.program, e.logTail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %s", e.program, e.logTail())
		}
	}
}

func (e *Engine) ended() bool {
	if e.exited == nil {
		return true
	}
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

// Kill ends it with SIGKILL. Its containers live on.
func (e *Engine) Kill() {
	_ = e.cmd.Process.Kill()
	<-e.exited
}

func (e *Engine) logTail() string {
	data, _ := os.ReadFile(e.path("log"))
	return string(data[max(0, len(data)-2000):])
}

// cleanup leaves nothing behind: no container, process, mount or file.
func (e *Engine) cleanup() {
	if e.Client != nil && e.exited != nil {
		if e.ended() {
			_ = e.start() // a killed one's containers run on, and only it knows them
		}
		e.removeAll()
		_ = e.Client.Close()
		_ = e.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-e.exited:
		case <-time.After(stopTimeout):
			e.Kill()
		}
	}
	e.killLeftovers()
	e.unmountAll()
	if err := os.RemoveAll(e.dir); err != nil {
		e.tb.Errorf("containerd's directory is left behind: %v", err)
	}
}

func (e *Engine) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	all, _ := e.Client.NamespaceService().List(ctx)
	for _, namespace := range all {
		ctx := In(ctx, namespace)
		containers, _ := e.Client.Containers(ctx)
		for _, c := range containers {
			if task, err := c.Task(ctx, nil); err == nil {
				_, _ = task.Delete(ctx, client.WithProcessKill)
			}
			_ = c.Delete(ctx, client.WithSnapshotCleanup)
		}
	}
}

// killLeftovers ends the shims: everything that has the directory on its command
// line.
func (e *Engine) killLeftovers() {
	for _, pid := range e.processes("") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Shims returns the processes that stand between containerd and its containers.
func (e *Engine) Shims() []int { return e.processes("containerd-shim") }

// processes returns those that have the directory on their command line, and the
// word.
func (e *Engine) processes(word string) []int {
	var pids []int
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), e.dir) || !strings.Contains(string(data), word) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// unmountAll unmounts everything below the directory, the newest mount first.
func (e *Engine) unmountAll() {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 4 && strings.HasPrefix(fields[4], e.dir) {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
}
