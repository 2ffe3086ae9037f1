// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Package lima_test runs the controller of LimaVMs with a program that stands in
// for limactl, and the project's own API server.
package lima_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

const (
	namespace = "vms"
	name      = "rd"
	source    = "source"

	// patience is how long anything may take that must come true: long, as a
	// busy machine is no failure.
	patience = time.Minute

	template = `images: [{location: /disk.img}]
param: {ENGINE: moby}
portForwards: [{guestSocket: /var/run/docker.sock, hostSocket: "{{.Dir}}/sock/docker.sock"}]
`
)

// programs is where limactl is.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "rdd-test-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		if err := stage.Build(dir, "../fakelimactl"); err != nil {
			fmt.Fprintln(os.Stderr, "limactl could not be built:", err)
			return 1
		}
		return m.Run()
	}())
}

// env is a control plane with the controller running.
type env struct {
	t       *testing.T
	control *controlplanetest.Env
	kube    client.Client
	cfg     lima.Config
	stop    func() // ends the controller
}

// newEnv starts a control plane with the controller, and makes the template that
// LimaVMs are made of.
func newEnv(t *testing.T, adjust ...func(*lima.Config)) *env {
	t.Helper()
	home := t.TempDir()
	e := &env{t: t, control: controlplanetest.Start(t), cfg: lima.Config{
		Limactl: limactl.Places{Path: programs},
		Home:    filepath.Join(home, "lima"), LogDir: filepath.Join(home, "log"), Clock: clock.RealClock{},
		Boot: patience, Stop: patience, Delete: patience,
		FirstPause: 10 * time.Millisecond, LongestPause: 50 * time.Millisecond, Stable: time.Hour,
	}}
	for _, change := range adjust {
		change(&e.cfg)
	}
	e.must(os.MkdirAll(e.cfg.Home, 0o700))
	e.control.Install(manager.Definitions(e.controllers()))
	scheme := runtime.NewScheme()
	e.must(corev1.AddToScheme(scheme))
	e.must(limav1alpha1.AddToScheme(scheme))
	var err error
	e.kube, err = client.New(e.control.Server.ClientConfig(), client.Options{Scheme: scheme})
	e.must(err)
	e.start()
	t.Cleanup(func() {
		e.stop()
		_ = os.RemoveAll(e.cfg.Home) // what runs of a virtual machine ends with its directory
	})
	e.must(e.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	e.must(e.kube.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: source, Namespace: namespace},
		Data:       map[string]string{limav1alpha1.TemplateKey: template},
	}))
	return e
}

func (e *env) controllers() []manager.Controller { return []manager.Controller{lima.Controller(e.cfg)} }

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// start starts the controller.
func (e *env) start() {
	e.t.Helper()
	m, err := manager.New(manager.Config{Controllers: e.controllers(), REST: e.control.Server.ClientConfig(),
		Holder: manager.Embedded(), Log: slog.New(slog.DiscardHandler)})
	e.must(err)
	e.must(m.Setup(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.Run(ctx); err != nil {
			e.t.Errorf("the manager ended: %v", err)
		}
	})
	e.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
}

// faults has limactl behave like that.
func (e *env) faults(f stage.Faults) { stage.Set(e.t, e.cfg.Home, f) }

// create makes the LimaVM.
func (e *env) create(running bool) {
	e.t.Helper()
	e.must(e.kube.Create(e.t.Context(), &limav1alpha1.LimaVM{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       limav1alpha1.LimaVMSpec{Running: ptr.To(running), TemplateRef: limav1alpha1.TemplateReference{Name: source}},
	}))
}

// get returns the LimaVM, nil if it is gone.
func (e *env) get() *limav1alpha1.LimaVM {
	e.t.Helper()
	vm := &limav1alpha1.LimaVM{}
	err := e.kube.Get(e.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, vm)
	if apierrors.IsNotFound(err) {
		return nil
	}
	e.must(err)
	return vm
}

// patch changes the LimaVM.
func (e *env) patch(change func(*limav1alpha1.LimaVM)) {
	e.t.Helper()
	before := e.get()
	after := before.DeepCopy()
	change(after)
	e.must(e.kube.Patch(e.t.Context(), after, client.MergeFrom(before)))
}

func (e *env) setRunning(running bool) {
	e.t.Helper()
	e.patch(func(vm *limav1alpha1.LimaVM) { vm.Spec.Running = ptr.To(running) })
}

// setTemplate changes the LimaVM's own template, and returns its new resource
// version.
func (e *env) setTemplate(text string) string {
	e.t.Helper()
	own := &corev1.ConfigMap{}
	e.must(e.kube.Get(e.t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-template"}, own))
	own.Data[limav1alpha1.TemplateKey] = text
	e.must(e.kube.Update(e.t.Context(), own))
	return own.ResourceVersion
}

// eventually waits until a condition holds.
func (e *env) eventually(what string, holds func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			vm := e.get()
			if vm == nil {
				e.t.Fatalf("never: %s; the LimaVM is gone", what)
			}
			e.t.Fatalf("never: %s; the status is %+v; limactl was asked %q", what, vm.Status, e.calls())
		}
	}
}

// wait waits until the LimaVM's controller has acted on the newest generation,
// and its condition Running is that, and returns it.
func (e *env) wait(status metav1.ConditionStatus, reason string, words ...string) *limav1alpha1.LimaVM {
	e.t.Helper()
	var vm *limav1alpha1.LimaVM
	e.eventually(fmt.Sprint("Running ", status, " ", reason, " ", words), func() bool {
		vm = e.get()
		if vm == nil {
			return false
		}
		c := apimeta.FindStatusCondition(vm.Status.Conditions, limav1alpha1.ConditionRunning)
		return c != nil && c.Status == status && c.Reason == reason && c.ObservedGeneration == vm.Generation &&
			vm.Status.ObservedGeneration == vm.Generation &&
			!slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(c.Message, w) })
	})
	return vm
}

// started waits until the virtual machine runs.
func (e *env) started() *limav1alpha1.LimaVM {
	e.t.Helper()
	return e.wait(metav1.ConditionTrue, limav1alpha1.ReasonStarted)
}

func (e *env) stopped() *limav1alpha1.LimaVM {
	e.t.Helper()
	return e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStopped)
}

// waitCreated waits for a reason of the condition Created.
func (e *env) waitCreated(reason string, words string) {
	e.t.Helper()
	e.eventually("Created "+reason+" "+words, func() bool {
		c := apimeta.FindStatusCondition(e.get().Status.Conditions, limav1alpha1.ConditionCreated)
		return c != nil && c.Reason == reason && strings.Contains(c.Message, words)
	})
}

// stalled waits until the LimaVM is stalled, for a reason, or isn't: an empty one.
func (e *env) stalled(reason string, words string) {
	e.t.Helper()
	e.eventually("Stalled "+reason+" "+words, func() bool {
		vm := e.get()
		c := apimeta.FindStatusCondition(vm.Status.Conditions, limav1alpha1.ConditionStalled)
		if reason == "" || c == nil {
			return reason == "" && c == nil
		}
		return c.Status == metav1.ConditionTrue && c.Reason == reason && strings.Contains(c.Message, words) && c.ObservedGeneration == vm.Generation
	})
}

// delete deletes the LimaVM, and waits until it and all that was of it is gone.
func (e *env) delete() {
	e.t.Helper()
	agent, driver := e.process("ha.pid"), e.process("qemu.pid")
	if vm := e.get(); vm != nil {
		e.must(client.IgnoreNotFound(e.kube.Delete(e.t.Context(), vm)))
	}
	e.eventually("the LimaVM is gone", func() bool { return e.get() == nil })
	if _, err := os.Stat(e.file("")); !os.IsNotExist(err) {
		e.t.Errorf("the instance is left: %v", err)
	}
	if agent.Alive() || driver.Alive() {
		e.t.Error("processes of the instance are left")
	}
}

// file returns the path of a file of the instance's.
func (e *env) file(of string) string { return filepath.Join(e.cfg.Home, name, of) }

// process returns a process of the instance's, which may not be there.
func (e *env) process(file string) process.ID {
	e.t.Helper()
	data, _ := os.ReadFile(e.file(file))
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return process.ID{}
	}
	id, _ := process.Identify(pid)
	return id
}

// kill kills a process of the instance's.
func (e *env) kill(file string) {
	e.t.Helper()
	id := e.process(file)
	if !id.Alive() {
		e.t.Fatalf("no process of %s lives", file)
	}
	e.must(syscall.Kill(id.PID, syscall.SIGKILL))
}

func (e *env) calls() []string { return stage.Calls(e.t, e.cfg.Home) }

// count returns how often limactl was called with that command.
func (e *env) count(call string) int {
	n := 0
	for _, c := range e.calls() {
		if strings.HasPrefix(c, call) {
			n++
		}
	}
	return n
}

// asked checks how often limactl was called with that command.
func (e *env) asked(call string, want int) {
	e.t.Helper()
	if got := e.count(call); got != want {
		e.t.Errorf("limactl was asked to %s %d times, want %d: %q", call, got, want, e.calls())
	}
}
