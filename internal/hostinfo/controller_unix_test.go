// SPDX-License-Identifier: Apache-2.0

//go:build unix

package hostinfo

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// patience bounds waits, on a busy machine.
const patience = time.Minute

// env is a control plane with a running controller, which observes the test's machine
// when the test's clock advances.
type env struct {
	t      *testing.T
	kube   client.WithWatch
	places Places
	clock  *testingclock.FakeClock
	looks  atomic.Int64
	disk   atomic.Pointer[rddv1alpha1.Disk]
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{t: t, places: newPlaces(t), clock: testingclock.NewFakeClock(time.Now())}
	e.setDisk("600Gi")
	probe := NewProbe(e.places, e.clock)
	controllers := Controllers()
	controllers[0].Setup = func(host manager.Host) error {
		return setup(host, func(ctx context.Context) rddv1alpha1.HostInfoStatus {
			defer e.looks.Add(1)
			status := probe.Look(ctx)
			status.Disk = *e.disk.Load()
			return status
		}, e.clock)
	}
	control := controlplanetest.Start(t)
	control.Install(manager.Definitions(controllers))
	scheme := apiruntime.NewScheme()
	must(t, rddv1alpha1.AddToScheme(scheme))
	var err error
	e.kube, err = client.NewWithWatch(control.Server.ClientConfig(), client.Options{Scheme: scheme})
	must(t, err)
	m, err := manager.New(manager.Config{Controllers: controllers, REST: control.Server.ClientConfig(),
		Holder: manager.Embedded(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	must(t, m.Setup(t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Errorf("the manager ended: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return e
}

func (e *env) setDisk(free string) {
	disk := diskOf("/home", free, "1000Gi")
	e.disk.Store(&disk)
}

// look makes the controller observe the machine once, and waits for it.
func (e *env) look() {
	e.t.Helper()
	looks := e.looks.Load()
	e.clock.Step(lookInterval)
	e.eventually("another look", func() (bool, string) { return e.looks.Load() > looks, fmt.Sprint(looks) })
}

func (e *env) eventually(what string, condition func() (bool, string)) {
	e.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		holds, state := condition()
		if holds {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("never: %s; last: %s", what, state)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// await waits until the HostInfo meets a condition.
func (e *env) await(what string, condition func(*rddv1alpha1.HostInfo) bool) *rddv1alpha1.HostInfo {
	e.t.Helper()
	info := &rddv1alpha1.HostInfo{}
	e.eventually(what, func() (bool, string) {
		*info = rddv1alpha1.HostInfo{}
		if err := e.kube.Get(e.t.Context(), client.ObjectKey{Name: rddv1alpha1.HostInfoName}, info); err != nil {
			return false, err.Error()
		}
		return condition(info), fmt.Sprintf("%+v", info)
	})
	return info
}

func filled(info *rddv1alpha1.HostInfo) bool { return info.Status.CPUs > 0 }

func engines(n int) func(*rddv1alpha1.HostInfo) bool {
	return func(info *rddv1alpha1.HostInfo) bool { return len(info.Status.Engines) == n }
}

func TestHostInfoSaysWhatIsThere(t *testing.T) {
	e := newEnv(t)
	info := e.await("a HostInfo with a status", filled)
	status := info.Status
	if status.CPUs != int32(runtime.NumCPU()) || status.Memory == nil || status.Memory.Sign() <= 0 ||
		status.OperatingSystem != runtime.GOOS || status.Architecture == "" || status.Virtualization.Type == "" {
		t.Errorf("%+v", status)
	}
	if status.Disk.Path != "/home" || status.Disk.Free.String() != "600Gi" || status.Disk.Total.String() != "1000Gi" {
		t.Errorf("the disk: %+v", status.Disk)
	}
	if status.Limactl.Path != "" || !strings.Contains(status.Limactl.Message, "install Lima") {
		t.Errorf("limactl: %+v", status.Limactl)
	}

	path := filepath.Join(e.places.Root, "run/containerd/containerd.sock")
	socket := listen(t, path)
	e.look()
	info = e.await("an engine", engines(1))
	want := []rddv1alpha1.Engine{{Type: containerd, Endpoint: "unix://" + path, Accessible: true}}
	if diff := cmp.Diff(want, info.Status.Engines); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	limactl := filepath.Join(e.places.Limactl.Programs, "limactl")
	must(t, os.WriteFile(limactl, []byte("#!/bin/sh\necho limactl version 2.2.0\n"), 0o755))
	must(t, socket.Close())
	e.setDisk("500Gi")
	e.look()
	info = e.await("no engine", engines(0))
	if info.Status.Disk.Free.String() != "500Gi" || info.Status.Limactl != (rddv1alpha1.Limactl{Path: limactl, Version: "2.2.0"}) {
		t.Errorf("%+v", info.Status)
	}
}

// TestNothingIsWrittenWithoutAChange: after several observations, the first event of a
// watch is for the first change.
func TestNothingIsWrittenWithoutAChange(t *testing.T) {
	e := newEnv(t)
	info := e.await("a HostInfo with a status", filled)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := e.kube.Watch(ctx, &rddv1alpha1.HostInfoList{},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: info.ResourceVersion}})
	must(t, err)
	defer events.Stop()
	for _, free := range []string{"599Gi", "600Gi", "610Gi", "570Gi", "550.5Gi", "649Gi"} {
		e.setDisk(free)
		e.look()
	}
	if now := e.await("the HostInfo", filled); now.ResourceVersion != info.ResourceVersion {
		t.Errorf("it was written: %s, before %s", now.ResourceVersion, info.ResourceVersion)
	}
	listen(t, filepath.Join(e.places.Root, "var/run/docker.sock"))
	e.look()
	event, ok := <-events.ResultChan()
	if changed, isInfo := event.Object.(*rddv1alpha1.HostInfo); !ok || !isInfo || len(changed.Status.Engines) != 1 ||
		changed.Status.Disk.Free.String() != "649Gi" {
		t.Errorf("the first event is another one: %+v", event)
	}
}

// TestHostInfoIsMended without a new observation: the controller restores the last one
// after any client's change or deletion.
func TestHostInfoIsMended(t *testing.T) {
	e := newEnv(t)
	listen(t, filepath.Join(e.places.Root, "var/run/docker.sock"))
	e.look()
	first := e.await("an engine", engines(1))
	looks := e.looks.Load()

	must(t, e.kube.Delete(t.Context(), first.DeepCopy()))
	second := e.await("another HostInfo with a status", func(info *rddv1alpha1.HostInfo) bool {
		return info.UID != first.UID && filled(info)
	})
	if diff := cmp.Diff(first.Status, second.Status); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}

	lying := second.DeepCopy()
	lying.Status = rddv1alpha1.HostInfoStatus{}
	must(t, e.kube.Status().Update(t.Context(), lying))
	mended := e.await("the HostInfo is mended", filled)
	if diff := cmp.Diff(first.Status, mended.Status); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}
	if e.looks.Load() != looks {
		t.Error("the machine was looked at")
	}
}

func TestThereIsOneHostInfo(t *testing.T) {
	e := newEnv(t)
	e.await("the HostInfo", filled)
	other := &rddv1alpha1.HostInfo{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if err := e.kube.Create(t.Context(), other); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "its name is system") {
		t.Errorf("a second HostInfo: %v", err)
	}
}
