// SPDX-License-Identifier: Apache-2.0

// Package vm_test runs a real virtual machine, with Lima and QEMU: see
// docs/vm.md.
package vm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/template"
)

const (
	// bootLimit is how long a boot may take: three minutes in an emulated guest
	// on two idle processors, and many more on busy ones.
	bootLimit = 25 * time.Minute

	userEnv = "RDD_TEST_USER" // an ordinary user, where the tests run as root
	kvmEnv  = "RDD_TEST_KVM"  // not empty: KVM, and no emulation

	// emulation has Lima take QEMU without KVM. Lima looks only whether there is
	// a /dev/kvm, and not whether it works.
	emulation = "QEMU_SYSTEM_X86_64=qemu-system-x86_64 -machine q35,vmport=off -accel tcg,thread=multi,tb-size=512 -cpu max"
)

// instance is the name of RDD's instance in the tests.
const instance = "vm"

// lima runs limactl, as a user who is not root, in a home directory of its own.
type lima struct {
	t          *testing.T
	limactl    string
	home       string // short, for sockets
	credential *syscall.Credential
	env        []string
}

// newLima skips the test, aloud, where something is missing that make test-vm
// does not make. Nothing is left of it after the test: no machine, no process, no
// file.
func newLima(t *testing.T) *lima {
	t.Helper()
	skip := func(why string) {
		t.Helper()
		t.Skipf("NO VIRTUAL MACHINE IS TESTED: %s (docs/vm.md says what is needed)", why)
	}
	if os.Getenv(template.ImageEnv) == "" {
		skip("no image is named in " + template.ImageEnv)
	}
	l := &lima{t: t, limactl: os.Getenv("RDD_LIMACTL")}
	if l.limactl == "" {
		path, err := exec.LookPath("limactl")
		if err != nil {
			skip("there is no limactl in PATH, nor in RDD_LIMACTL")
		}
		l.limactl = path
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		skip("there is no qemu-system-x86_64 in PATH")
	}
	name := "user"
	if os.Getuid() == 0 {
		u, err := user.Lookup(os.Getenv(userEnv))
		if err != nil || u.Uid == "0" {
			skip("limactl refuses to run as root, and " + userEnv + " names no ordinary user")
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		l.credential, name = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, u.Username
	}
	home, err := os.MkdirTemp("", "rdd-vm-")
	if err != nil {
		t.Fatal(err)
	}
	l.home = home
	t.Cleanup(l.cleanup)
	if l.credential != nil {
		if err := os.Chown(home, int(l.credential.Uid), int(l.credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	l.env = []string{"HOME=" + home, "USER=" + name, "PATH=" + os.Getenv("PATH"), "DOCKER_CONFIG=" + filepath.Join(home, ".docker"),
		"LIMA_HOME=" + l.limaHome(), "RDD_LIMACTL=" + l.limactl, "RDD_INSTANCE=" + instance,
		template.ImageEnv + "=" + os.Getenv(template.ImageEnv)}
	if os.Getenv(kvmEnv) == "" {
		l.env = append(l.env, emulation)
	}
	return l
}

// limaHome has the machines, and nothing else: Lima takes any directory in it for
// one. It is where RDD has it.
func (l *lima) limaHome() string { return filepath.Join(l.home, ".rd"+instance, "lima") }

// command is a program with arguments, which ends with ctx.
func (l *lima) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = l.env, l.home
	// What is left running when the program has ended may hold on to its output.
	cmd.WaitDelay = time.Second
	if l.credential != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: l.credential}
	}
	return cmd
}

// run has limactl do something, and returns its standard output.
func (l *lima) run(limit time.Duration, args ...string) string {
	l.t.Helper()
	return l.exec(limit, l.limactl, append([]string{"--tty=false"}, args...)...)
}

func (l *lima) exec(limit time.Duration, program string, args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit) // the test's own ends before its cleanups
	defer cancel()
	cmd := l.command(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	what := filepath.Base(program) + " " + strings.Join(args, " ")
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began).Round(10 * time.Millisecond)
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		l.t.Fatalf("%s: %v after %v\n%s%s\n%s", what, err, took, stdout.String(), stderr.String(), l.logs())
	}
	if took > time.Second {
		l.t.Logf("%s: %v", what, took)
	}
	return stdout.String()
}

// logs are the last lines of what the machines' host agents and consoles wrote.
func (l *lima) logs() string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(l.limaHome(), "*", "*.log"))
	for _, file := range files {
		content, _ := os.ReadFile(file)
		fmt.Fprintf(&all, "--- %s\n%s\n", filepath.Base(file), content[max(0, len(content)-2000):])
	}
	return all.String()
}

// machine is limactl's description of a machine.
type machine struct {
	Status       string `json:"status"`
	HostAgentPID int    `json:"hostAgentPID"`
	DriverPID    int    `json:"driverPID"`
}

func (l *lima) machine(name string) machine {
	l.t.Helper()
	var m machine
	if err := json.Unmarshal([]byte(l.run(time.Minute, "list", "--json", name)), &m); err != nil {
		l.t.Fatal(err)
	}
	return m
}

// processes returns those that have a path below the directory in their
// arguments, as host agents and QEMU have that of their machine.
func processes(dir string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		args, err := os.ReadFile(file)
		if err == nil && bytes.Contains(args, []byte(dir+"/")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func (l *lima) cleanup() {
	for _, pid := range processes(l.home) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = os.RemoveAll(l.home)
}

// memory returns the resident memory of a process, in MiB.
func memory(pid int) int {
	fields, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var total, resident int
	_, _ = fmt.Sscan(string(fields), &total, &resident)
	return resident * os.Getpagesize() >> 20
}
