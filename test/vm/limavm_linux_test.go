// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
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

// TestLimaVM has the daemon make a machine, which outlives it, is started again
// when its host agent is killed, is stopped, and is deleted.
func TestLimaVM(t *testing.T) {
	r := newRDD(t)
	r.create()
	r.waitRunning()
	r.checkDocker()
	r.checkContainer()

	before := r.machine(name)
	r.killDaemon()
	r.checkDocker()
	r.ok("service", "start")
	r.waitRunning()
	if after := r.machine(name); after != before {
		t.Errorf("the daemon was killed; the machine was %+v, and is %+v", before, after)
	}
	r.checkStatus(func(s status) error {
		if s.RestartCount != 0 {
			return fmt.Errorf("the machine was restarted %d times, and should have been adopted", s.RestartCount)
		}
		return nil
	})

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
	r.waitRunning()
	r.checkStatus(func(s status) error {
		if s.RestartCount != 1 {
			return fmt.Errorf("the machine was restarted %d times, want once", s.RestartCount)
		}
		return nil
	})
	r.checkDocker()
	r.checkPublished()

	r.ok("ctl", "patch", "limavm", name, "-n", namespace, "--type=merge", "-p", `{"spec":{"running":false}}`)
	r.ok("ctl", "wait-condition", "limavm/"+name, "Running=False", "--reason", "Stopped", "--timeout", patience.String(), "-n", namespace)
	r.checkStopped()
	r.ok("ctl", "delete", "limavm", name, "-n", namespace, "--timeout", patience.String())
	r.checkGone()
	r.ok("service", "delete")
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

func (r *rdd) create() {
	r.t.Helper()
	file := filepath.Join(r.home, "limavm.yaml")
	object := fmt.Sprintf("{apiVersion: lima.rancherdesktop.io/v1alpha1, kind: LimaVM, metadata: {name: %[1]s, namespace: %[2]s}, "+
		"spec: {running: true, templateRef: {name: %[1]s}}}", name, namespace)
	if err := os.WriteFile(file, []byte(object), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.ok("service", "start")
	r.ok("ctl", "create", "configmap", name, "-n", namespace, "--from-file=template="+r.template())
	r.ok("ctl", "create", "-f", file)
}

// waitRunning says what the machine says of itself meanwhile.
func (r *rdd) waitRunning() {
	r.t.Helper()
	began, said := time.Now(), ""
	for {
		s := r.status()
		running := s.condition("Running")
		if words := fmt.Sprintf("%s, %s, restarted %d times", running.Reason, running.Message, s.RestartCount); words != said {
			r.t.Logf("%v: %s", time.Since(began).Round(time.Second), words)
			said = words
		}
		if running.Status == "True" {
			return
		}
		if time.Since(began) > bootLimit {
			r.t.Fatalf("the machine does not run within %v\n%s", bootLimit, r.logs())
		}
		time.Sleep(time.Second)
	}
}

// status is what the LimaVM says.
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

func (r *rdd) checkStatus(check func(status) error) {
	r.t.Helper()
	if err := check(r.status()); err != nil {
		r.t.Error(err)
	}
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
