// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// vm returns a LimaVM as it is now.
func (h *home) vm(name string) *limav1alpha1.LimaVM {
	h.t.Helper()
	vm := &limav1alpha1.LimaVM{}
	if err := h.client().Get(h.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: name}, vm); err != nil {
		h.t.Fatal(err)
	}
	return vm
}

// templates returns the names of the ConfigMaps with templates.
func (h *home) templates() (names []string) {
	h.t.Helper()
	var list corev1.ConfigMapList
	if err := h.client().List(h.t.Context(), &list, ctrlclient.InNamespace(namespace)); err != nil {
		h.t.Fatal(err)
	}
	for i := range list.Items {
		if _, ok := list.Items[i].Data[limav1alpha1.TemplateKey]; ok {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

// template returns a virtual machine's own template.
func (h *home) template(name string) string {
	h.t.Helper()
	own := &corev1.ConfigMap{}
	if err := h.client().Get(h.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: name + "-template"}, own); err != nil {
		h.t.Fatal(err)
	}
	return own.Data[limav1alpha1.TemplateKey]
}

// TestVMLife: a virtual machine is made, stopped, started, restarted and deleted,
// and each command ends when that is so.
func TestVMLife(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	stage.Set(t, limaHome, stage.Faults{BootMS: 2000})
	r := h.succeeds([]string{"web: Booting: ", "Virtual machine web is created and running"}, "limavm", "create", "web", "--template", file)
	if r.stdout != "" || strings.Contains(r.stderr, "\x1b") {
		t.Errorf("in a pipe: %+v", r)
	}
	if got := h.templates(); !slices.Equal(got, []string{"web-template"}) {
		t.Errorf("the templates are %v", got)
	}
	h.fails(1, []string{`virtual machine "web" already exists`}, "limavm", "create", "web", "--template", file)
	stage.Set(t, limaHome, stage.Faults{})
	h.succeeds([]string{"web is running"}, "limavm", "start", "web")
	h.succeeds([]string{"web is stopped"}, "limavm", "stop", "web")
	if vm := h.vm("web"); vm.ShouldRun() || vm.Status.RestartCount != 0 {
		t.Errorf("stopped: %+v", vm.Status)
	}
	h.succeeds([]string{"web is stopped"}, "limavm", "stop", "web", "web")
	h.succeeds([]string{"web has restarted"}, "limavm", "restart", "web") // one that is stopped starts
	h.succeeds([]string{"web has restarted"}, "limavm", "restart", "web")
	if vm := h.vm("web"); vm.Status.RestartCount != 1 || vm.Status.SSHAddress == "" {
		t.Errorf("restarted: %+v", vm.Status)
	}
	h.succeeds([]string{"db is created"}, "limavm", "create", "db", "--template", file, "--start=false", "--param", "ENGINE=other")
	if _, err := os.Stat(filepath.Join(limaHome, "db", "ha.pid")); err == nil || h.vm("db").Spec.Params["ENGINE"] != "other" {
		t.Errorf("db: %v %+v", err, h.vm("db").Spec)
	}
	contains(t, h.ok("limavm", "list"), "NAME", "web", "Started", "db", "Stopped", "127.0.0.1:40735")
	var list limav1alpha1.LimaVMList
	if err := json.Unmarshal([]byte(h.ok("limavm", "list", "-o", "json")), &list); err != nil || len(list.Items) != 2 {
		t.Errorf("%v: %+v", err, list)
	}
	contains(t, h.ok("vm", "list", "-o", "yaml"), "templateConfigMap: db-template")
	if got := h.ok("limavm", "list", "-o", "table", "--namespace", "default"); strings.Contains(got, "web") {
		t.Errorf("another namespace has %s", got)
	}
	h.fails(2, []string{"json or yaml"}, "limavm", "list", "-o", "wide")
	h.succeeds([]string{"web is being deleted"}, "limavm", "delete", "--yes", "web", "--wait=false")
	h.succeeds([]string{"db is deleted"}, "limavm", "delete", "--yes", "db")
	h.eventually("web is deleted", func() (bool, string) {
		left := h.ok("limavm", "list")
		return !strings.Contains(left, "web"), left
	})
	h.eventually("the templates are gone", func() (bool, string) { return len(h.templates()) == 0, fmt.Sprint(h.templates()) })
	h.succeeds([]string{"x is being created"}, "limavm", "create", "x", "--template", file, "--wait=false")
	h.succeeds([]string{"x is deleted"}, "limavm", "delete", "--yes", "x")
	h.eventually("its source is gone with it", func() (bool, string) { return len(h.templates()) == 0, fmt.Sprint(h.templates()) })
}

// TestVMFromConfigMap: a template is a file, or a ConfigMap of the user's, which stays; a
// dry run changes nothing.
func TestVMFromConfigMap(t *testing.T) {
	t.Parallel()
	h, _, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	h.ok("service", "start")
	before := h.ok("ctl", "get", "namespaces,configmaps,limavms", "-A", "-o", "name")
	h.succeeds([]string{"web would be created"}, "limavm", "create", "web", file, "--dry-run")
	h.fails(3, []string{"template"}, "lima", "create", "web", h.write("bad.yaml", "images: {", 0o600), "--dry-run")
	h.fails(1, []string{`no file and no ConfigMap "mine"`}, "lima", "create", "web", "mine")
	h.fails(2, []string{"two templates"}, "lima", "create", "web", "mine", "--template", file)
	if after := h.ok("ctl", "get", "namespaces,configmaps,limavms", "-A", "-o", "name"); after != before {
		t.Errorf("a dry run leaves %s, and before there was %s", after, before)
	}
	h.ok("ctl", "create", "configmap", "mine", "-n", "default", "--from-file=template="+file)
	h.succeeds([]string{"cm would be created"}, "lima", "create", "cm", "mine", "-n", "default", "--dry-run")
	h.succeeds([]string{"cm is created"}, "lima", "create", "cm", "mine", "-n", "default", "--start=false")
	h.succeeds([]string{"one is created"}, "lima", "create", "one", file, "--start=false")
	h.ok("lima", "logs", "cm")
	h.succeeds([]string{"cm is deleted", "one is deleted"}, "lima", "delete", "--yes", "cm", "one")
	h.ok("ctl", "get", "configmap", "mine", "-n", "default")
}

// TestVMMistakes: what is asked for wrongly is refused with what would be right,
// and changes nothing.
func TestVMMistakes(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	for _, test := range []struct {
		code  int
		words []string
		args  []string
	}{
		{2, []string{"requires the name of a virtual machine"}, []string{"start"}},
		{2, []string{`unexpected argument "c"`}, []string{"create", "a", "b", "c"}},
		{2, []string{"a template is required"}, []string{"create", "a"}},
		{2, []string{"reserved for the App", "rdd start"}, []string{"create", "rd", "--template", file}},
		{2, []string{"NAME=VALUE"}, []string{"create", "a", "--template", file, "--param", "x"}},
		{1, []string{"no such file"}, []string{"create", "a", "--template", "nowhere.yaml"}},
		{1, []string{"is empty"}, []string{"create", "a", "--template", "-"}},
		{2, []string{"--memory", "for example 4Gi"}, []string{"edit", "a", "--memory", "much"}},
		{2, []string{"--cpus -1"}, []string{"edit", "a", "--cpus", "-1"}},
		{2, []string{"--template can't be combined"}, []string{"edit", "a", "--cpus", "1", "--template", file}},
		{2, []string{"mutually exclusive"}, []string{"log", "a", "--serial", "--agent"}},
		{1, []string{`no log of virtual machine "a"`, limaHome, h.path("log_dir")}, []string{"log", "a"}},
		{1, []string{`virtual machine "a" not found`}, []string{"stop", "a"}},
		{1, []string{`virtual machine "a" not found`}, []string{"shell", "a"}},
		{2, []string{"unknown command", "did you mean", "start"}, []string{"sart"}},
	} {
		h.fails(test.code, test.words, append([]string{"limavm"}, test.args...)...)
	}
	h.fails(1, []string{"no virtual machine yet", "rdd start"}, "shell", "true")
	if h.alive() {
		t.Error("a mistake started the daemon")
	}
	bad, params := h.write("bad.yaml", "message: "+stage.Rejected, 0o600), []string{"limavm", "create", "web", "--template", file}
	h.fails(3, []string{"limactl rejects its template", "`images` must be set"}, "limavm", "create", "web", "--template", bad)
	h.fails(3, []string{"OTHER", "ENGINE"}, append(params, "--param", "OTHER=1")...)
	h.fails(3, []string{"Lima takes"}, "limavm", "create", "We--b", "--template", file)
	h.fails(1, []string{`namespaces "nowhere" not found`}, append(params, "--namespace", "nowhere")...)
	if got := h.templates(); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	missing := "failed to download `/vm.qcow2`: stat /vm.qcow2: no such file or directory"
	stage.Set(t, limaHome, stage.Faults{CreateFails: missing})
	h.fails(1, []string{"web: CreateFailed: ", missing, "rdd limavm log web"}, params...)
	stage.Set(t, limaHome, stage.Faults{})
	h.succeeds([]string{"web is running"}, "limavm", "start", "web") // which was tried again
	h.fails(1, []string{`virtual machine "wbe" not found`, "available: web", "did you mean web?"}, "limavm", "stop", "web", "wbe")
	if !h.vm("web").ShouldRun() {
		t.Error("one wrong name of two, and the other was stopped")
	}
	h.fails(1, []string{`virtual machine "wbe" not found`, "did you mean web?"}, "limavm", "shell", "wbe")
	h.fails(1, []string{`"wbe"`, "available: web", "did you mean web?"}, "limavm", "log", "wbe")
	h.fails(1, []string{`virtual machine "../web" not found`}, "limavm", "shell", "../web")
	h.fails(1, []string{`no log of virtual machine "../web"`}, "limavm", "log", "../web")
	stage.Set(t, limaHome, stage.Faults{Boot: stage.BootHangs})
	h.fails(4, []string{"web: not finished in time: Booting: "}, "limavm", "restart", "web", "--timeout", "10s")
	h.fails(1, []string{"still booting", "rdd limavm log web --serial"}, "limavm", "shell", "web")
	start := h.spawn("rdd", "limavm", "start", "web")
	start.says("web: Booting: ")
	h.ok("limavm", "stop", "web") // a start that is under way is given up
	if code := start.wait(patience); code != 1 || !strings.Contains(start.stderr.String(), "another client has set spec.running") {
		t.Errorf("exit code %d: %s", code, start.stderr)
	}
}

// TestVMStartFails: a failed start reports why, and is retried at once when it is
// requested again; a missing limactl is reported, with what to do.
func TestVMStartFails(t *testing.T) {
	t.Parallel()
	h, limaHome, dir := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	stage.Set(t, limaHome, stage.Faults{Boot: stage.BootFails})
	h.fails(4, []string{"web: not finished in time: ", "Could not set up the machine"}, "limavm", "create", "web", "--template", file, "--timeout", "10s")
	h.waitFailures(limaHome, 4)
	stage.Set(t, limaHome, stage.Faults{})
	h.succeeds([]string{"web is running"}, "limavm", "start", "web")
	stage.Set(t, limaHome, stage.Faults{Boot: stage.BootDegraded})
	h.succeeds([]string{"has restarted and is running", "runs with errors: mounts are not there"}, "limavm", "restart", "web")
	contains(t, h.ok("limavm", "list"), "Degraded", "mounts are not there")

	if err := os.Rename(filepath.Join(dir, "limactl"), filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	h.fails(1, []string{"no such file", "RDD_LIMACTL"}, "limavm", "stop", "web")
	h.fails(1, []string{"RDD_LIMACTL"}, "limavm", "start", "web")
	h.fails(1, []string{"RDD_LIMACTL"}, "limavm", "restart", "web")
	h.fails(1, []string{"RDD_LIMACTL"}, "limavm", "shell", "web", "true")
	h.fails(1, []string{"RDD_LIMACTL"}, "limavm", "create", "db", "--template", file)
	h.succeeds([]string{"db is deleted"}, "limavm", "delete", "--yes", "db")
	h.fails(1, []string{"RDD_LIMACTL"}, "limavm", "delete", "--yes", "web")
	if err := os.Rename(filepath.Join(dir, "gone"), filepath.Join(dir, "limactl")); err != nil {
		t.Fatal(err)
	}
	h.succeeds([]string{"web is deleted"}, "limavm", "delete", "--yes", "web", "--timeout", "1m")
}

// waitFailures waits until so many starts were tried.
func (h *home) waitFailures(limaHome string, starts int) {
	h.t.Helper()
	h.eventually(fmt.Sprint(starts, " starts"), func() (bool, string) {
		calls := stage.Calls(h.t, limaHome)
		tried := 0
		for _, call := range calls {
			if strings.HasPrefix(call, "start ") {
				tried++
			}
		}
		return tried >= starts, fmt.Sprint(calls)
	})
}

// TestAppsVM: `rdd limavm` refuses the App's virtual machine, and names the command for
// it.
func TestAppsVM(t *testing.T) {
	t.Parallel()
	h, _, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	h.ok("service", "start")
	c := h.client()
	app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "app"}}
	if err := c.Create(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	h.ok("limavm", "create", "apps", "--template", file)
	vm := h.vm("apps")
	before, controls := vm.DeepCopy(), true
	vm.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: appv1alpha1.GroupVersion.String(), Kind: "App", Name: "app", UID: app.UID, Controller: &controls,
	}}
	if err := c.Patch(t.Context(), vm, ctrlclient.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	for words, args := range map[string][]string{
		"`rdd start`":             {"start", "apps"},
		"`rdd stop`":              {"stop", "apps"},
		"`rdd reset`":             {"delete", "apps"},
		"rdd set virtualMachine.": {"edit", "apps", "--cpus", "2"},
	} {
		h.fails(1, []string{"is owned by the App", words}, append([]string{"limavm"}, args...)...)
	}
	h.ok("limavm", "restart", "apps")
}
