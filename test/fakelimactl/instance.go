// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

// sshPort is that of every instance.
const sshPort = 40735

// tick is how often something is looked at.
const tick = 10 * time.Millisecond

// instance is a directory in LIMA_HOME.
type instance struct{ home, name, dir string }

func (i instance) file(name string) string { return filepath.Join(i.dir, name) }

func (i instance) exists() bool {
	_, err := os.Stat(i.dir)
	return err == nil
}

// pid returns the living process in a PID file, which is removed if there is
// none; 0 then.
func (i instance) pid(file string) int {
	data, err := os.ReadFile(i.file(file))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err == nil {
		_, err = process.Birth(pid)
	}
	if err != nil {
		_ = os.Remove(i.file(file))
		return 0
	}
	return pid
}

func (i instance) agent() int  { return i.pid("ha.pid") }
func (i instance) driver() int { return i.pid("qemu.pid") }

func (i instance) status() string {
	agent, driver := i.agent(), i.driver()
	switch {
	case agent != 0 && driver != 0:
		return "Running"
	case agent == 0 && driver == 0:
		return "Stopped"
	}
	return "Broken"
}

// forward is a rule of a template about a socket, or about ports.
type forward struct {
	GuestSocket string `json:"guestSocket,omitempty"`
	HostSocket  string `json:"hostSocket,omitempty"`
}

// sockets returns the sockets that the template forwards.
func (i instance) sockets() []forward {
	var template struct {
		PortForwards []forward `json:"portForwards"`
	}
	data, err := os.ReadFile(i.file("lima.yaml"))
	if err != nil || yaml.Unmarshal(data, &template) != nil {
		return nil
	}
	var sockets []forward
	for _, f := range template.PortForwards {
		if f.HostSocket != "" {
			f.HostSocket = strings.ReplaceAll(f.HostSocket, "{{.Dir}}", i.dir)
			sockets = append(sockets, f)
		}
	}
	return sockets
}

func (i instance) describe() map[string]any {
	status, port := i.status(), 0
	if status == "Running" {
		port = sshPort
	}
	return map[string]any{
		"name": i.name, "status": status, "dir": i.dir, "vmType": "fake", "sshLocalPort": port, "sshAddress": "127.0.0.1",
		"sshConfigFile": i.file("ssh.config"), "hostAgentPID": i.agent(), "driverPID": i.driver(),
		"config": map[string]any{
			"portForwards": i.sockets(), "mounts": i.mounts(), "user": map[string]string{"home": "/home/guest"},
		},
	}
}

// kill ends what runs of the instance. The forwarded sockets stay.
func (i instance) kill() {
	for _, pid := range []int{i.driver(), i.agent()} {
		if pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for i.driver() != 0 || i.agent() != 0 {
		time.Sleep(tick)
	}
}

// spawn runs this program as a part of the instance, in a process group of its
// own.
func (i instance) spawn(what string, stdout, stderr *os.File) *exec.Cmd {
	self, err := os.Executable()
	check(err)
	cmd := exec.Command(self, what, i.name)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(cmd.Start())
	return cmd
}

func (i instance) create(file string) *os.File {
	_ = os.Remove(i.file(file))
	made, err := os.Create(i.file(file))
	check(err)
	return made
}

// ready reports what the host agent has said.
func (i instance) said() (ready, degraded, exiting bool) {
	data, err := os.ReadFile(i.file("ha.stdout.log"))
	if err != nil {
		return false, false, false
	}
	for line := range strings.Lines(string(data)) {
		var event struct {
			Status struct{ Running, Degraded, Exiting bool } `json:"status"`
		}
		if json.Unmarshal([]byte(line), &event) == nil {
			ready, degraded = ready || event.Status.Running, degraded || event.Status.Degraded
			exiting = exiting || event.Status.Exiting
		}
	}
	return ready, degraded, exiting
}

func (c *command) start() {
	i := c.instance()
	switch {
	case !i.exists():
		fatal("template `" + i.name + "` not found")
	case i.status() == "Broken":
		fatal("errors inspecting instance: [failed to get Info from `" + i.file("ha.sock") + "`]")
	case i.status() == "Running":
		say("info", "The instance `"+i.name+"` is already running.")
		return
	}
	agent := i.spawn("agent", i.create("ha.stdout.log"), i.create("ha.stderr.log"))
	ended := make(chan struct{})
	go func() {
		_ = agent.Wait()
		close(ended)
	}()
	limit, err := time.ParseDuration(func() string { v, _ := c.value("--timeout"); return v }())
	check(err)
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(tick) {
		ready, degraded, exiting := i.said()
		over := false
		select {
		case <-ended:
			over = true
		default:
		}
		switch {
		case exiting || over:
			fatal("exiting, status={Running:false Degraded:false Exiting:true} (hint: see `" + i.file("ha.stderr.log") + "`)")
		case degraded:
			fatal("degraded, status={Running:true Degraded:true}")
		case ready:
			return
		}
	}
	fatal("did not receive an event with the \"running\" status")
}

func (c *command) stop() {
	i := c.instance()
	if !i.exists() {
		fatal("open " + i.file("lima.yaml") + ": no such file or directory")
	}
	if c.has("-f") {
		if c.faults.StopFails {
			fatal("can't stop")
		}
		i.kill()
		return
	}
	if status := i.status(); status != "Running" {
		fatal("expected status `Running`, got `" + status + "` (maybe use `limactl stop -f`?)")
	}
	check(syscall.Kill(i.agent(), syscall.SIGINT))
	for deadline := time.Now().Add(3 * time.Minute); i.agent() != 0; time.Sleep(tick) {
		if time.Now().After(deadline) {
			i.kill()
		}
	}
}
