// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// vmHome is a home with a limactl, in whose virtual machine an engine answers.
type vmHome struct {
	*home
	limaHome string
	engine   *fakedocker.Server
}

func newVMHome(t *testing.T) *vmHome {
	t.Helper()
	h, limaHome, _ := newLimaHome(t)
	engine, _ := startEngine(t, 3)
	v := &vmHome{home: h, limaHome: limaHome, engine: engine}
	v.faults(stage.Faults{})
	return v
}

// faults has limactl behave like that, with the engine in its virtual machine.
func (v *vmHome) faults(f stage.Faults) {
	v.t.Helper()
	f.Engines = map[string]string{"/run/docker.sock": strings.TrimPrefix(v.engine.Endpoint(), "unix://")}
	stage.Set(v.t, v.limaHome, f)
}

// vm returns the App's virtual machine, nil for none.
func (v *vmHome) vm() *limav1alpha1.LimaVM {
	v.t.Helper()
	vm := &limav1alpha1.LimaVM{}
	err := v.client().Get(v.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: appv1alpha1.VMName}, vm)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return vm
}

// count returns how often limactl was called with that command.
func (v *vmHome) count(call string) int {
	n := 0
	for _, c := range stage.Calls(v.t, v.limaHome) {
		if strings.HasPrefix(c, call) {
			n++
		}
	}
	return n
}

func (v *vmHome) asked(call string, want int) {
	v.t.Helper()
	if got := v.count(call); got != want {
		v.t.Errorf("limactl was asked to %s %d times, want %d: %q", call, got, want, stage.Calls(v.t, v.limaHome))
	}
}

// condition checks a condition of the App, which must be of its newest generation.
func (v *vmHome) condition(kind, status, reason string) {
	v.t.Helper()
	app := v.app()
	c := apimeta.FindStatusCondition(app.Status.Conditions, kind)
	if c == nil || string(c.Status) != status || c.Reason != reason || c.ObservedGeneration != app.Generation {
		v.t.Errorf("%s is %+v, want %s %s of generation %d", kind, c, status, reason, app.Generation)
	}
}

// template returns the lima.yaml of the virtual machine.
func (v *vmHome) template() string {
	v.t.Helper()
	data, err := os.ReadFile(filepath.Join(v.limaHome, appv1alpha1.VMName, "lima.yaml"))
	if err != nil {
		v.t.Fatal(err)
	}
	return string(data)
}

// mirrors returns the UIDs of the mirrored containers, sorted.
func (v *vmHome) mirrors() []string {
	v.t.Helper()
	var list containersv1alpha1.ContainerList
	if err := v.client().List(v.t.Context(), &list, ctrlclient.InNamespace(namespace)); err != nil {
		v.t.Fatal(err)
	}
	uids := make([]string, len(list.Items))
	for i := range list.Items {
		uids[i] = string(list.Items[i].UID)
	}
	slices.Sort(uids)
	return uids
}

// TestVirtualMachine: with limactl `rdd start` makes a virtual machine whose engine
// is mirrored; several settings are one restart, over which mirrors stay; it
// outlives the daemon; and it goes with the App.
func TestVirtualMachine(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.succeeds([]string{"in a virtual machine", "limactl", "rdd set containerEngine.endpoint", "Settled: connected to unix://"}, "start")
	v.condition(appv1alpha1.ConditionCreated, "True", limav1alpha1.ReasonCreated)
	v.condition(appv1alpha1.ConditionRunning, "True", limav1alpha1.ReasonStarted)
	v.condition(appv1alpha1.ConditionContainerEngineReady, "True", containersv1alpha1.ReasonConnected)
	v.condition(appv1alpha1.ConditionSettled, "True", appv1alpha1.ReasonSettled)
	vm, app := v.vm(), v.app()
	if !metav1.IsControlledBy(vm, app) || vm.Spec.Params["CONTAINER_ENGINE"] != "moby" {
		t.Errorf("the LimaVM is %+v, %+v", vm.ObjectMeta, vm.Spec)
	}
	socket := v.path("docker_socket")
	if app.Status.DockerSocket != "unix://"+socket || app.Status.DockerContext == "" {
		t.Errorf("the App's status is %+v", app.Status)
	}
	before := v.mirrors()
	if len(before) != 3 {
		t.Fatalf("%d containers are mirrored", len(before))
	}
	contains(t, v.ok("status"), "VM", "Started", "Connected", "3 containers")
	v.fails(3, []string{"owned by App app", "delete or stop the owner"}, "ctl", "delete", "limavm", "rd", "-n", namespace)

	v.ok("set", "virtualMachine.cpus=1", "virtualMachine.memory=3Gi", "virtualMachine.disk=101Gi")
	contains(t, v.template(), "cpus: 1", "memory: 3GiB", "disk: 101GiB")
	if vm := v.vm(); vm.Status.RestartCount != 1 {
		t.Errorf("three settings were %d restarts", vm.Status.RestartCount)
	}
	v.asked("start", 2)
	if after := v.mirrors(); !slices.Equal(before, after) {
		t.Errorf("the mirrors were made anew: %v, before %v", after, before)
	}
	v.fails(3, []string{"may grow and never shrink"}, "set", "virtualMachine.disk=50Gi")

	calls := stage.Calls(t, v.limaHome)
	v.ok("service", "stop")
	v.ok("service", "start")
	v.ok("set", "application.updates.enabled=false")
	if now := stage.Calls(t, v.limaHome); !slices.Equal(now, calls) {
		t.Errorf("it was not left alone: %q", now[len(calls):])
	}

	v.ok("stop")
	v.condition(appv1alpha1.ConditionRunning, "False", limav1alpha1.ReasonStopped)
	v.condition(appv1alpha1.ConditionContainerEngineReady, "False", containersv1alpha1.ReasonStopped)
	if left := v.mirrors(); len(left) != 0 {
		t.Errorf("mirrors are left: %v", left)
	}
	v.ok("set", "virtualMachine.cpus=2")
	v.ok("start")
	contains(t, v.template(), "cpus: 2")
	v.asked("start", 3)
	v.asked("create", 1)

	v.ok("delete", "--yes")
	if vm := v.vm(); vm != nil {
		t.Errorf("the LimaVM is left: %+v", vm.Status)
	}
	for _, name := range []string{"rd", "rd-template"} {
		v.fails(1, []string{"not found"}, "ctl", "get", "configmap", name, "-n", namespace)
	}
	if _, err := os.Stat(filepath.Join(v.limaHome, "rd")); !os.IsNotExist(err) {
		t.Errorf("the virtual machine is left: %v", err)
	}
}

// TestVirtualMachineReset: another one takes its place, from the image that is
// wanted by then, though its engine is another too.
func TestVirtualMachineReset(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.env = append(v.env, "RDD_VM_IMAGE=/from/the/environment.qcow2")
	v.ok("start")
	contains(t, v.template(), "/from/the/environment.qcow2")
	v.succeeds([]string{"another image", "rdd reset"}, "set", "virtualMachine.image=/another.qcow2")
	v.asked("start", 1)
	contains(t, v.template(), "/from/the/environment.qcow2")
	before := v.mirrors()

	other, _ := startEngine(t, 2)
	v.engine = other
	v.faults(stage.Faults{})
	if r := v.succeeds([]string{"Settled: connected"}, "reset", "--yes"); strings.Contains(r.stderr, "another image") {
		t.Errorf("reset said\n%s", r.stderr)
	}
	contains(t, v.template(), "/another.qcow2")
	after := v.mirrors()
	if len(after) != 2 || slices.ContainsFunc(after, func(uid string) bool { return slices.Contains(before, uid) }) {
		t.Errorf("mirrored is %v, before %v", after, before)
	}
	v.asked("create", 2)
	if app := v.app(); app.Status.ObservedResetRequest != app.Annotations[appv1alpha1.ResetAnnotation] {
		t.Errorf("%+v, %+v", app.Annotations, app.Status)
	}
	v.ok("stop")
	v.succeeds([]string{"Settled: stopped"}, "reset", "--yes")
	v.asked("create", 3)
	v.asked("start", 2)
	v.fails(3, []string{"absolute path"}, "set", "virtualMachine.image=image.qcow2")
	v.fails(3, []string{"digest"}, "set", "virtualMachine.image=/image.qcow2#sha256:12")
}

// TestVirtualMachineFails: a command that waits ends with the reason and the log,
// the daemon continues, and the user may fix the cause.
func TestVirtualMachineFails(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.fails(1, []string{"TemplateRejected", "field `images` must be set"}, "set", "running=true", "virtualMachine.image=/"+stage.Rejected)
	v.ok("set", "running=false", "virtualMachine.image=")
	v.stalls(false, "")
	missing := "failed to download `/vm.qcow2`: stat /vm.qcow2: no such file or directory"
	v.faults(stage.Faults{CreateFails: missing})
	v.fails(1, []string{"CreateFailed", missing, "log: "}, "start") // at once
	v.stalls(true, limav1alpha1.ReasonCreateFailed)
	contains(t, v.ok("status"), "vm-failed")
	v.succeeds([]string{"Settled: stopped"}, "stop") // nothing runs
	v.stalls(false, "")
	v.faults(stage.Faults{CreateFails: "failed to download the image: no route to host"})
	v.fails(4, []string{"no route to host", "log: "}, "start", "--timeout", "10s") // it is tried again
	v.stalls(false, "")
	v.eventually("the status tells of it", func() (bool, string) { // not while it is tried again
		status := v.ok("status")
		return strings.Contains(status, "CreateFailed") && strings.Contains(status, "no route to host"), status
	})
	v.fails(4, []string{"no route to host"}, "reset", "--yes", "--timeout", "10s")
	v.fails(1, []string{"field `images` must be set"}, "set", "virtualMachine.image=/"+stage.Rejected)
	v.faults(stage.Faults{})
	v.ok("set", "virtualMachine.image=")
	v.fails(1, []string{"TemplateRejected", "shrinking"}, "set", `virtualMachine.mounts=[{"location":"/`+stage.RejectedNow+`"}]`)
	v.stalls(true, appv1alpha1.ReasonTemplateRejected)
}

// stalls checks whether the App is stalled, and for which reason.
func (v *vmHome) stalls(want bool, reason string) {
	v.t.Helper()
	app := v.app()
	c := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionStalled)
	if want != (c != nil) || want && (c.Status != metav1.ConditionTrue || c.Reason != reason || c.ObservedGeneration != app.Generation) {
		v.t.Errorf("Stalled is %+v, want %t %s", c, want, reason)
	}
}

// TestVirtualMachineBootFails: no failure of a boot is the end of a wait, as the daemon
// tries again.
func TestVirtualMachineBootFails(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.faults(stage.Faults{Boot: stage.BootFails})
	start := v.spawn("rdd", "start")
	v.eventually("it was tried again", func() (bool, string) { return v.count("start") > 1, fmt.Sprint(stage.Calls(t, v.limaHome)) })
	v.faults(stage.Faults{})
	if code := start.wait(patience); code != 0 {
		t.Errorf("exit code %d: %s", code, start.stderr)
	}
	v.ok("stop")
	v.faults(stage.Faults{Boot: stage.BootFails})
	v.fails(4, []string{"CrashLoop", "Could not set up the machine", "log: "}, "start", "--timeout", "30s")
	v.stalls(false, "")
	contains(t, v.ok("status"), "vm-failed", "CrashLoop: ", "rdd limavm log rd")
	failures := func() (n int, message string) {
		message = apimeta.FindStatusCondition(v.vm().Status.Conditions, limav1alpha1.ConditionRunning).Message
		if _, err := fmt.Sscanf(message, "failed %d times; last", &n); err != nil {
			return 0, message // it is starting again
		}
		return n, message
	}
	v.eventually("it has failed six times", func() (bool, string) {
		n, message := failures()
		return n >= 6, message
	})
	// The next start would be in 32 s.
	v.faults(stage.Faults{})
	v.ok("start", "--timeout", "25s")
	if status := v.ok("status"); strings.Contains(status, "vm-failed") {
		t.Error(status)
	}
}

// TestVirtualMachineAndEndpoint: an engine that is there already takes the place of
// the virtual machine's, which stops and keeps what it has.
func TestVirtualMachineAndEndpoint(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.ok("start")
	other, _ := startEngine(t, 5)
	v.succeeds([]string{"Settled: connected to " + other.Endpoint()}, "set", "containerEngine.endpoint="+other.Endpoint())
	v.condition(appv1alpha1.ConditionCreated, "True", appv1alpha1.ReasonNotApplicable)
	v.condition(appv1alpha1.ConditionRunning, "True", appv1alpha1.ReasonNotApplicable)
	if n := len(v.mirrors()); n != 5 {
		t.Errorf("%d containers are mirrored", n)
	}
	if c := apimeta.FindStatusCondition(v.vm().Status.Conditions, limav1alpha1.ConditionRunning); c == nil || c.Reason != limav1alpha1.ReasonStopped {
		t.Errorf("the virtual machine is %+v", c)
	}
	v.ok("set", "containerEngine.endpoint=")
	v.condition(appv1alpha1.ConditionRunning, "True", limav1alpha1.ReasonStarted)
	if n := len(v.mirrors()); n != 3 {
		t.Errorf("%d containers are mirrored", n)
	}
	v.asked("create", 1)
	v.asked("start", 2)
}

// TestBootOnATerminal: a boot is a bar.
func TestBootOnATerminal(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.ok("service", "start")
	v.faults(stage.Faults{BootMS: 3000})
	start, _ := v.onTerminal("start")
	start.prints("[##")
	start.prints(" % …")
	if code := start.wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	start.prints("Settled: connected")
}
