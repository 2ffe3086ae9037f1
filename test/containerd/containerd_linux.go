// SPDX-License-Identifier: Apache-2.0

// Package containerd runs real containerds for tests, as root, each in
// directories and on a socket of its own.
package containerd

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

const (
	// Namespace is where the image is, and what the tests do.
	Namespace = "default"

	runtimeName = "io.containerd.runc.v2"

	poll = 20 * time.Millisecond
)

// configuration leaves out what looks for clusters, and keeps all that is
// written in the engine's directory.
func (e *Engine) configuration() string {
	disabled := []string{"io.containerd.nri.v1.nri"}
	more := ""
	if e.config.CRI {
		more += fmt.Sprintf(criConfiguration, CRIImage, e.path("cni"), e.path("cni"))
	} else {
		disabled = append(disabled, "io.containerd.grpc.v1.cri")
	}
	if e.config.Restarts {
		more += "[plugins.\"io.containerd.internal.v1.restart\"]\n  interval = \"200ms\"\n"
	} else {
		disabled = append(disabled, "io.containerd.internal.v1.restart")
	}
	return fmt.Sprintf("version = 2\ndisabled_plugins = [%s]\n[plugins.\"io.containerd.internal.v1.opt\"]\n  path = %q\n%s",
		`"`+strings.Join(disabled, `", "`)+`"`, e.path("opt"), more)
}

// Config says what else than containers and images a containerd has.
type Config struct {
	// CRI has it serve the CRI, as for a kubelet, where the program can.
	CRI bool
	// Restarts has it start containers again that ask for it.
	Restarts bool
}

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
	// CRI is the CRI, nil without it.
	CRI cri.RuntimeServiceClient

	tb      TB
	program Program
	config  Config
	dir     string
	process *realengine.Process
	images  int // made so far
}

// Start runs a containerd until the test ends. Where its program is not there,
// or no right to run it, the test fails: it has nothing to test.
func Start(tb TB, program Program) *Engine {
	tb.Helper()
	return StartWith(tb, program, Config{})
}

// StartWith is Start of a containerd that has more.
func StartWith(tb TB, program Program, config Config) *Engine {
	tb.Helper()
	realengine.NotShort(tb)
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
	e := &Engine{tb: tb, program: program, config: config, dir: dir}
	e.process = realengine.NewProcess(program.String(), e.path("log"))
	tb.Cleanup(e.cleanup)
	if err := os.WriteFile(e.path("config.toml"), []byte(e.configuration()), 0o600); err != nil {
		tb.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+e.path("c.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: poll, Multiplier: 1, MaxDelay: poll}, MinConnectTimeout: time.Second}))
	if err != nil {
		tb.Fatal(err)
	}
	if e.Client, err = client.NewWithConn(conn, client.WithDefaultRuntime(runtimeName)); err != nil {
		tb.Fatal(err)
	}
	e.Start()
	e.importBusybox(Namespace, importName, Image, "sh")
	if config.CRI {
		e.importBusybox(CRINamespace, CRIImage, CRIImage, "sleep", "100000") // as that of a sandbox does
		e.connectCRI()
	}
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

// controlGroup returns the control group of a container that [Hands] make.
func (e *Engine) controlGroup(id string) string { return filepath.Base(e.dir) + "-" + id }

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
	cmd, err := e.program.command("--config", e.path("config.toml"), "--root", e.path("root"), "--state", e.path("state"), "--address", e.path("c.sock"))
	if err != nil {
		return err
	}
	return e.process.Start(cmd, func() bool {
		serving, err := e.Client.IsServing(context.Background())
		return err == nil && serving
	})
}

// Kill ends it with SIGKILL. Its containers live on.
func (e *Engine) Kill() { e.process.Kill() }

// cleanup leaves nothing behind: no container, process, mount or file.
func (e *Engine) cleanup() {
	if e.Client != nil && e.process.Started() {
		if e.process.Ended() {
			_ = e.start() // a killed one's containers run on, and only it knows them
		}
		e.removePods()
		e.removeAll()
		_ = e.Client.Close()
		e.process.Stop()
	}
	realengine.KillLeftovers(e.dir) // the shims
	realengine.RemoveControlGroups(e.controlGroup("*"))
	realengine.UnmountAll(e.dir)
	if err := os.RemoveAll(e.dir); err != nil {
		e.tb.Errorf("containerd's directory is left behind: %v", err)
	}
}

func (e *Engine) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), realengine.StopTimeout)
	defer cancel()
	all, _ := e.Client.NamespaceService().List(ctx)
	for _, namespace := range all {
		ctx := In(ctx, namespace)
		containers, _ := e.Client.Containers(ctx)
		for _, c := range containers {
			if e.config.Restarts { // it would be started again before
				_, _ = c.SetLabels(ctx, map[string]string{"containerd.io/restart.status": "unknown"})
			}
			if task, err := c.Task(ctx, nil); err == nil {
				_, _ = task.Delete(ctx, client.WithProcessKill)
			}
			_ = c.Delete(ctx, client.WithSnapshotCleanup)
		}
	}
}

// Shims returns the processes that stand between containerd and its containers.
func (e *Engine) Shims() []int { return realengine.Processes(e.dir, "containerd-shim") }
