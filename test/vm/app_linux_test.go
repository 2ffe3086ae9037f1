// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// programEnv is the rdd to test.
	programEnv = "RDD_TEST_PROGRAM"

	namespace = "rancher-desktop"
)

// TestApp has `rdd start` make a machine, which outlives the daemon, is started
// again when its host agent is killed and when its size is changed, is stopped, and
// is deleted; what runs in it is mirrored, and stays the same.
func TestApp(t *testing.T) {
	r := newRDD(t)
	r.ok("set", "virtualMachine.cpus=2", "virtualMachine.memory=2Gi", "virtualMachine.disk=10Gi", r.mounts())
	r.start()
	r.measure()
	r.checkDocker()
	r.checkContainer()
	web := r.mirror()

	before := r.machine(name)
	r.killDaemon()
	r.checkDocker()
	r.start()
	if after := r.machine(name); after != before {
		t.Errorf("the daemon was killed; the machine was %+v, and is %+v", before, after)
	}
	r.restarted(0)
	r.same(web)

	// What comes now is a power cut for the guest: what it has not written yet is lost.
	r.run(patience, "shell", "--workdir", "/", name, "sudo", "sync")
	if err := syscall.Kill(before.HostAgentPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed host agent is seen", func() error {
		if s := r.status(); s.condition("Running").Status == "True" && s.RestartCount == 0 {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
	r.start()
	r.restarted(1)
	r.checkDocker()
	r.checkPublished()
	r.same(web)

	r.wait("set", "virtualMachine.cpus=1", "virtualMachine.memory=1536Mi")
	r.restarted(2)
	r.checkPublished()
	r.same(web)
	if cpus := strings.TrimSpace(r.ok("shell", "--workdir", "/", "nproc")); cpus != "1" {
		t.Errorf("the machine has %s processors", cpus)
	}

	r.wait("stop")
	r.checkStopped()
	r.wait("delete", "--yes")
	r.checkGone()
	r.ok("service", "delete", "--yes")
}

// rdd is an instance of RDD, and the machine in it.
type rdd struct {
	*vm
	program string
}

func newRDD(t *testing.T) *rdd {
	t.Helper()
	built := os.Getenv(programEnv)
	if built == "" {
		t.Skip("NO VIRTUAL MACHINE OF RDD'S IS TESTED: " + programEnv + " names no rdd (use make test-vm)")
	}
	r := &rdd{vm: newVM(t)}
	r.docker = filepath.Join(filepath.Dir(r.limaHome()), "docker.sock")
	// The tests' user may have no way to where it was built.
	r.program = filepath.Join(r.home, "rdd")
	content, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.exec(patience, r.program, "ctl", "get", "limavm,configmap", "-n", namespace, "-o", "yaml"))
			t.Log(r.exec(patience, r.program, "service", "log", "--tail", "100"))
		}
	})
	return r
}

// ok runs rdd, which must succeed.
func (r *rdd) ok(args ...string) string {
	r.t.Helper()
	return r.exec(bootLimit, r.program, args...)
}

// wait runs a command of rdd that waits, and logs its output.
func (r *rdd) wait(args ...string) {
	r.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.t.Context(), bootLimit)
	defer cancel()
	cmd := r.command(ctx, r.program, append(args, "--timeout", bootLimit.String())...)
	said, err := cmd.CombinedOutput()
	r.t.Logf("rdd %s: %v\n%s", strings.Join(args, " "), time.Since(began).Round(time.Second), said)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.logs())
	}
}

func (r *rdd) start() {
	r.t.Helper()
	r.wait("start")
}

// mirror returns the UID of the container's mirror.
func (r *rdd) mirror() string {
	r.t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ UID string } `json:"metadata"`
			Status   struct{ Name, Status string }
		} `json:"items"`
	}
	var uid string
	eventually(r.t, "the container is mirrored", func() error {
		if err := json.Unmarshal([]byte(r.ok("ps", "-o", "json")), &list); err != nil {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].Status.Name != "web" || list.Items[0].Status.Status != "running" {
			return fmt.Errorf("mirrored is %+v", list)
		}
		uid = list.Items[0].Metadata.UID
		return nil
	})
	return uid
}

func (r *rdd) same(uid string) {
	r.t.Helper()
	if now := r.mirror(); now != uid {
		r.t.Error("the container's mirror was made anew")
	}
}

func (r *rdd) restarted(times int) {
	r.t.Helper()
	if s := r.status(); s.RestartCount != times {
		r.t.Errorf("the machine was restarted %d times, want %d", s.RestartCount, times)
	}
}

// mounts shares a directory with the guest.
func (r *rdd) mounts() string {
	r.t.Helper()
	r.share()
	return fmt.Sprintf(`virtualMachine.mounts=[{"location":%q,"mountPoint":"/mnt/shared"}]`, r.shared())
}

// status is the status of the LimaVM.
type status struct {
	RestartCount int         `json:"restartCount"`
	Conditions   []condition `json:"conditions"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// condition is the one of a type, or nothing.
func (s status) condition(wanted string) condition {
	for _, c := range s.Conditions {
		if c.Type == wanted {
			return c
		}
	}
	return condition{}
}

func (r *rdd) status() status {
	r.t.Helper()
	var object struct {
		Status status `json:"status"`
	}
	if err := json.Unmarshal([]byte(r.ok("ctl", "get", "limavm", name, "-n", namespace, "-o", "json")), &object); err != nil {
		r.t.Fatal(err)
	}
	return object.Status
}

func (r *rdd) killDaemon() {
	r.t.Helper()
	file := strings.TrimSpace(r.ok("service", "paths", "pid_file"))
	content, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(content))[0])
	if err != nil {
		r.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, "the daemon ends", func() error {
		var s struct {
			Started bool `json:"started"`
		}
		err := json.Unmarshal([]byte(r.ok("service", "status", "-o", "json")), &s)
		if err == nil && s.Started {
			err = fmt.Errorf("process %d lives", pid)
		}
		return err
	})
}
