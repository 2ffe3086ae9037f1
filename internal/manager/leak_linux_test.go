// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/demo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestNothingIsLeft: a stopped manager leaves no goroutine, open file or connection to
// the engine, a hundred times.
func TestNothingIsLeft(t *testing.T) {
	env := controlplanetest.Start(t)
	controllers := append(mirror.Controllers(open.Drivers()), app.Controllers()...)
	controllers = append(controllers, demo.Controllers()...)
	env.Install(manager.Definitions(controllers))
	engine := fakedocker.Run(t, fakedocker.Config{})
	engine.AddImage("busybox:latest")
	engine.AddContainers(5, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})

	cycle := func(first bool) { runOnce(t, env, controllers, engine, first) }
	cycle(true)
	cycle(false) // creates what lives as long as the process
	files := openFiles(t)
	before := goroutines(t)
	for range 100 {
		cycle(false)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		after := goroutines(t)
		// The number of the control plane's own goroutines varies slightly.
		const slack = 20
		if total(after) <= total(before)+slack && openFiles(t) <= files+slack {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before; %d open files, %d before\n%s",
				total(after), total(before), openFiles(t), files, more(before, after))
		}
	}
}

// runOnce runs a manager until its engine is connected, and stops it.
func runOnce(t *testing.T, env *controlplanetest.Env, controllers []manager.Controller, engine *fakedocker.Server, create bool) {
	t.Helper()
	m, err := manager.New(manager.Config{
		Controllers: controllers,
		REST:        env.Server.ClientConfig(),
		Holder:      manager.Embedded(),
		Log:         slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	if err := m.WaitSynced(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(env.Server.ClientConfig(), client.Options{Scheme: m.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ce := &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{Name: "moby", Namespace: metav1.NamespaceDefault},
		Spec:       containersv1alpha1.ContainerEngineSpec{Type: containersv1alpha1.EngineMoby, Endpoint: engine.Endpoint()},
	}
	if create {
		if err := c.Create(t.Context(), ce); err != nil {
			t.Fatal(err)
		}
	}
	waitStreams(t, engine, 1)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	waitStreams(t, engine, 0)
}

// waitStreams waits until the engine has that many event clients.
func waitStreams(t *testing.T, engine *fakedocker.Server, want int) {
	t.Helper()
	for deadline := time.Now().Add(patience); engine.Streams() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d event streams are open, want %d", engine.Streams(), want)
		}
	}
}

// goroutines returns the number of goroutines by stack.
func goroutines(t *testing.T) map[string]int {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	stacks := map[string]int{}
	for _, block := range strings.Split(profile.String(), "\n\n") {
		head, stack, _ := strings.Cut(block, "\n")
		n := 0
		for _, digit := range head {
			if digit < '0' || digit > '9' {
				break
			}
			n = n*10 + int(digit-'0')
		}
		stacks[stack] += n
	}
	return stacks
}

func total(stacks map[string]int) int {
	sum := 0
	for _, n := range stacks {
		sum += n
	}
	return sum
}

// more returns the stacks with many more goroutines than before.
func more(before, after map[string]int) string {
	var found strings.Builder
	for stack, n := range after {
		if n > before[stack]+10 {
			found.WriteString(stack + "\n")
		}
	}
	return found.String()
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
