// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// TestVMEdit: a change is applied, once, and a rejected change leaves everything
// as it was.
func TestVMEdit(t *testing.T) {
	t.Parallel()
	h, limaHome, temporary := newLimaHome(t)
	file := h.write("lima.yaml", "# first\n"+limaTemplate+"cpus: 1 # few\n", 0o600)
	h.ok("limavm", "create", "web", "--template", file)
	has := func() string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(limaHome, "web", "lima.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	restarts := func(want int32) {
		t.Helper()
		if vm := h.vm("web"); vm.Status.RestartCount != want || vm.Status.TemplateError != "" {
			t.Errorf("%d restarts wanted: %+v", want, vm.Status)
		}
	}
	h.succeeds([]string{"web has the new template"}, "limavm", "edit", "web", "--cpus", "4", "--memory", "3Gi", "--disk", "20GiB", "--param", "ENGINE=other")
	contains(t, has(), "cpus: 4", "memory: 3GiB", "disk: 20GiB", `ENGINE: "other"`)
	contains(t, h.template("web"), "# first", "# few", "ENGINE: moby")
	restarts(1)
	h.succeeds([]string{"Nothing was changed"}, "limavm", "edit", "web", "--cpus", "4", "--param", "ENGINE=other")
	h.succeeds([]string{"web has the new template"}, "limavm", "edit", "web", "--param", "ENGINE=moby")
	restarts(2)

	before, template := has(), h.template("web")
	h.fails(3, []string{"OTHER", "ENGINE"}, "limavm", "edit", "web", "--cpus", "8", "--param", "OTHER=1")
	shrunk := h.write("shrunk.yaml", limaTemplate+"message: "+stage.RejectedNow+"\n", 0o600)
	for range 2 { // the second does not report the first's reason
		h.fails(1, []string{"web: Lima rejected the template", "shrinking the disk", "nothing was changed"}, "limavm", "edit", "web", "--template", shrunk)
		bad := h.write("bad.yaml", limaTemplate+"message: "+stage.Rejected, 0o600)
		h.fails(1, []string{"field `images` must be set", "nothing was changed"}, "limavm", "edit", "web", "--template", bad)
	}
	if has() != before || h.template("web") != template {
		t.Errorf("a rejected template changed it to %s\nand its own template to %s", has(), h.template("web"))
	}
	restarts(2)
	checkStaleRejection(t, h)
	restarts(3)

	script := func(command string) string {
		return h.write("editor", "#!/bin/sh\n"+command+" \"$1\"\n", 0o700)
	}
	h.env = append(h.env, "EDITOR="+script("sed -i 's/cpus: 5/cpus: 6/'"))
	h.succeeds([]string{"web has the new template"}, "limavm", "edit", "web")
	contains(t, h.template("web"), "cpus: 6")
	h.env = append(h.env, "EDITOR=true")
	h.succeeds([]string{"Nothing was changed"}, "limavm", "edit", "web")
	h.env = append(h.env, "EDITOR=false")
	h.fails(1, nil, "limavm", "edit", "web")
	if left, err := filepath.Glob(filepath.Join(temporary, "rdd-web-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	h.env = append(h.env, "VISUAL="+script("echo 'message: "+stage.Rejected+"' >>"))
	r := h.fails(1, []string{"rejected", "Your changes are in " + temporary}, "limavm", "edit", "web")
	_, kept, _ := strings.Cut(r.stderr, "Your changes are in ")
	kept, _, _ = strings.Cut(kept, ": ")
	if text, err := os.ReadFile(kept); err != nil || !strings.Contains(string(text), stage.Rejected) {
		t.Errorf("kept: %q, %v", text, err)
	}
	h.ok("limavm", "stop", "web")
	edit := h.command(t.Context(), filepath.Join(programs, "rdd"), "limavm", "edit", "web", "--template", "-")
	edit.Stdin = strings.NewReader(limaTemplate + "cpus: 7\n")
	if output, err := edit.CombinedOutput(); err != nil || !strings.Contains(has(), "cpus: 7") {
		t.Errorf("%v: %s", err, output)
	}
}

// checkStaleRejection: a valid change does not report that an invalid one, which another client
// has written, is rejected.
func checkStaleRejection(t *testing.T, h *home) {
	t.Helper()
	h.ok("ctl", "patch", "configmap", "web-template", "-n", namespace, "--type=merge", "-p", `{"data":{"template":"message: `+stage.Rejected+`"}}`)
	h.eventually("the template is rejected", func() (bool, string) {
		status := h.vm("web").Status
		return status.TemplateError != "", status.TemplateError
	})
	good := h.write("good.yaml", limaTemplate+"cpus: 5\n", 0o600)
	h.succeeds([]string{"web has the new template"}, "limavm", "edit", "web", "--template", good)
}

// TestVMShell: a command runs in a virtual machine as if rdd were not there, in the
// directory of the guest that the user is in, and without a daemon.
func TestVMShell(t *testing.T) {
	t.Parallel()
	h, _, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate+"mounts: [{location: "+h.dir+"/shared, mountPoint: /mnt/shared}]\n", 0o600)
	shared := filepath.Dir(h.write("shared/deep/file", "", 0o600))
	h.ok("limavm", "create", "web", "--template", file)
	h.ok("service", "stop")
	h.env = append(h.env, "LIMA_HOME=/nowhere")
	for _, code := range []int{0, 3, 255} {
		if r := h.run("limavm", "shell", "web", "sh", "-c", `exit "$1"`, "sh", strconv.Itoa(code)); r.code != code {
			t.Errorf("exit code %d, want %d: %s", r.code, code, r.stderr)
		}
	}
	if got := h.ok("limavm", "shell", "web", "printf", "%s,", "--help", "-x", "--", "a b"); got != "--help,-x,--,a b," {
		t.Errorf("the arguments are %q", got)
	}
	if got := h.ok("limavm", "shell", "web", "--", "echo", "--", "x"); got != "-- x\n" {
		t.Errorf("behind -- the command prints %q", got)
	}
	workdir := []string{"sh", "-c", "echo $FAKE_WORKDIR"}
	in := func(args ...string) string {
		return h.ok(append(append([]string{"limavm", "shell"}, args...), workdir...)...)
	}
	if got := in("web"); got != "/home/guest\n" {
		t.Errorf("outside of the mounts it begins in %s", got)
	}
	if got := in("--workdir", "/x", "web"); got != "/x\n" {
		t.Errorf("with --workdir it begins in %s", got)
	}
	h.dir, shared = shared, h.dir
	if got := in("web"); got != "/mnt/shared/deep\n" {
		t.Errorf("in a mount it begins in %s", got)
	}
	h.dir = shared
	cat := h.command(t.Context(), filepath.Join(programs, "rdd"), "limavm", "shell", "web", "cat")
	cat.Stdin = strings.NewReader("there and back")
	if output, err := cat.Output(); err != nil || string(output) != "there and back" {
		t.Errorf("%q, %v", output, err)
	}
	script := h.spawn("rdd", "limavm", "shell", "web", "sh", "-c", `trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done`)
	script.prints("ready")
	if code := script.interrupt(); code != 7 || strings.Count(script.stdout.String(), "caught") != 1 {
		t.Errorf("exit code %d: %s", code, script.stdout)
	}
	h.completes("web", "", "limavm", "shell", "")
	h.completes("web", "", "limavm", "log", "")
	if h.alive() {
		t.Error("a shell started the daemon")
	}
	shell, keys := h.onTerminal("limavm", "shell", "web")
	if _, err := io.WriteString(keys, "test -t 0 && echo on a 'terminal'; exit 5\n"); err != nil {
		t.Fatal(err)
	}
	shell.prints("on a terminal")
	if code := shell.wait(patience); code != 5 {
		t.Errorf("exit code %d: %s", code, shell.stdout)
	}
	h.ok("limavm", "stop", "web")
	if h.alive() {
		t.Error("a stop left the daemon running")
	}
	h.fails(1, []string{"web is stopped", "start it with `rdd limavm start web`"}, "limavm", "shell", "web", "true")
	h.fails(2, []string{"requires the name of a virtual machine"}, "limavm", "shell")
}

// TestShell: the App's virtual machine has a shell if it exists; else the command
// reports why not, and what to do.
func TestShell(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	h.ok("service", "start")
	h.fails(1, []string{"there is no App", "`rdd start`"}, "shell", "true")
	c := h.client()
	app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "app"}}
	app.Spec.ContainerEngine.Endpoint = "unix:///nowhere"
	for _, object := range []ctrlclient.Object{
		app, newTemplate("default", "source", limaTemplate), newLimaVM("default", appv1alpha1.VMName, "source"),
	} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	h.waitVM(c, newLimaVM("default", appv1alpha1.VMName, "source"), "Started")
	r := h.fails(1, []string{"no virtual machine: its engine is at unix:///nowhere", "`rdd exec CONTAINER COMMAND`"}, "shell", "true")
	if r.stdout != "" {
		t.Errorf("it prints %q", r.stdout)
	}
	before := app.DeepCopy()
	app.Spec.ContainerEngine.Endpoint = ""
	if err := c.Patch(t.Context(), app, ctrlclient.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if r := h.fails(9, nil, "shell", "sh", "-c", "echo in $FAKE_WORKDIR; exit 9"); r.stdout != "in /home/guest\n" {
			t.Errorf("it prints %q", r.stdout)
		}
	}
	check()
	pid := h.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	check() // a daemon that hangs is none
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.ok("limavm", "stop", appv1alpha1.VMName)
	h.fails(1, []string{"is stopped: start it with `rdd start`"}, "shell", "true")
	h.ok("service", "stop")
	h.fails(1, []string{"is stopped: start it with `rdd start`"}, "shell", "true")
	if err := os.RemoveAll(filepath.Join(limaHome, appv1alpha1.VMName)); err != nil {
		t.Fatal(err)
	}
	h.fails(1, []string{"no virtual machine yet: create it with `rdd start`"}, "shell")
	if h.alive() {
		t.Error("a shell started the daemon")
	}
}

// TestVMLog: each log is to be had, followed over a restart, and when the virtual
// machine is gone.
func TestVMLog(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	h.ok("limavm", "create", "web", "--template", file, "--start=false")
	contains(t, h.ok("limavm", "log", "web"), "Attempting to download the image")
	h.fails(1, []string{filepath.Join(limaHome, "web", "serial.log"), "has not been started yet"}, "limavm", "log", "web", "--serial")
	h.ok("limavm", "start", "web")
	contains(t, h.ok("limavm", "log", "web", "--agent"), "READY")
	if got := h.ok("limavm", "log", "web", "--agent", "--tail", "1"); strings.Count(got, "\n") != 1 || !strings.Contains(got, "READY") {
		t.Errorf("the last line is %q", got)
	}
	console := filepath.Join(limaHome, "web", "serial.log")
	if err := os.WriteFile(console, []byte("Linux version\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.ok("limavm", "log", "web", "--serial"); got != "Linux version\n" {
		t.Errorf("the console is %q", got)
	}
	followed := h.spawn("rdd", "limavm", "log", "web", "--agent", "--follow")
	followed.prints("READY")
	h.ok("limavm", "restart", "web")
	h.eventually("the log goes on", func() (bool, string) {
		text := followed.stdout.String()
		return strings.Count(text, "READY") == 2, text
	})
	h.ok("limavm", "delete", "--yes", "web")
	contains(t, h.ok("limavm", "log", "web", "--agent"), "READY")
	contains(t, h.ok("limavm", "log", "web", "--serial"), "Linux version")
	h.completes("web", "", "limavm", "log", "w")
}

// TestVMComplete: names come from the daemon that runs.
func TestVMComplete(t *testing.T) {
	t.Parallel()
	h, _, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	h.completes("limavm shell", "", "")
	h.completes("create start stop restart delete list shell log edit", "", "limavm", "")
	for _, args := range [][]string{{"start", ""}, {"shell", ""}, {"log", ""}, {"list", "-n", ""}, {"create", ""}} {
		if got := h.complete(append([]string{"limavm"}, args...)...); len(got) != 0 {
			t.Errorf("completing %q without an instance: %v", args, got)
		}
	}
	h.ok("limavm", "create", "web", "--template", file, "--start=false")
	h.ok("limavm", "create", "db", "--template", file, "--start=false")
	h.completes("web db", "", "limavm", "start", "")
	h.completes("db", "web", "limavm", "delete", "web", "")
	h.completes("web db", "", "limavm", "edit", "")
	h.completes("", "web db", "limavm", "edit", "web", "")
	h.completes(namespace, "", "limavm", "list", "--namespace", "")
	h.completes("table json yaml", "", "limavm", "list", "--output", "")
}

// TestVMOnATerminal: a wait is one line that changes, and Ctrl-C ends the wait and
// not the start.
func TestVMOnATerminal(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	stage.Set(t, limaHome, stage.Faults{BootMS: 6000})
	create, keys := h.onTerminal("limavm", "create", "web", "--template", file)
	create.prints(clearLine + "web: Booting")
	create.prints(" % …")
	if _, err := io.WriteString(keys, ctrlC); err != nil {
		t.Fatal(err)
	}
	if code := create.wait(patience); code != 130 {
		t.Errorf("exit code %d", code)
	}
	shown := strings.Split(create.stdout.String(), clearLine)
	if last := shown[len(shown)-1]; !strings.HasPrefix(last, "Interrupted. The daemon continues") {
		t.Errorf("the last line is %q", last)
	}
	if got := h.templates(); len(got) != 1 {
		t.Errorf("the templates are %v", got)
	}
	h.succeeds([]string{"web is running"}, "limavm", "start", "web")
	watch, keys := h.onTerminal("limavm", "list", "--watch")
	watch.prints("Started")
	if _, err := io.WriteString(keys, ctrlC); err != nil {
		t.Fatal(err)
	}
	if code := watch.wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestVMWaitOutlivesTheDaemon: a wait continues with the next daemon.
func TestVMWaitOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	file := h.write("lima.yaml", limaTemplate, 0o600)
	stage.Set(t, limaHome, stage.Faults{BootMS: 4000})
	create := h.spawn("rdd", "limavm", "create", "web", "--template", file)
	create.says("web: Booting: ")
	h.kill()
	create.says("waiting for the daemon")
	h.ok("service", "start")
	if code := create.wait(patience); code != 0 || !strings.Contains(create.stderr.String(), "web is created and running") {
		t.Errorf("exit code %d: %s", code, create.stderr)
	}
}
