// SPDX-License-Identifier: Apache-2.0

package dockerd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

// room is a mount and a network namespace for an engine. Its bridge, its packet
// filter and what it keeps in fixed places (podman: /run/containers,
// /var/lib/containers and more) go with the room. It outlasts the engine, whose
// containers live on in it. Its methods accept nil, which is no room.
type room struct {
	holder *exec.Cmd
}

// furnish makes a room ready, tells, and holds it until the end of its input.
const furnish = `set -e
for place in /run /var/lib /var/tmp /dev/shm; do busybox mount -t tmpfs none $place; done
busybox ip link set lo up
echo ready
exec busybox cat`

// enterRoom makes a room.
func enterRoom() (*room, error) {
	r := &room{holder: exec.CommandContext(context.Background(), "unshare", "--mount", "--net", realengine.Busybox, "sh", "-c", furnish)}
	r.holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if _, err := r.holder.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := r.holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.holder.Start(); err != nil {
		return nil, fmt.Errorf("make namespaces for an engine: %w", err)
	}
	if word, _ := bufio.NewReader(output).ReadString('\n'); word != "ready\n" {
		r.leave()
		return nil, errors.New("make namespaces for an engine: is busybox-static installed, and are the tests run as root?")
	}
	return r, nil
}

// command is [exec.Command] in the room.
func (r *room) command(name string, args ...string) *exec.Cmd {
	if r == nil {
		return exec.CommandContext(context.Background(), name, args...)
	}
	enter := []string{"--target", strconv.Itoa(r.holder.Process.Pid), "--mount", "--net", name}
	return exec.CommandContext(context.Background(), "nsenter", append(enter, args...)...)
}

// listen opens a port of the room's loopback.
func (r *room) listen() (net.Listener, error) {
	var config net.ListenConfig
	if r == nil {
		return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	}
	// A thread enters the room, and comes back: if it ended there, so would the
	// programs that it has started (see Pdeathsig).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = ours.Close() }()
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", r.holder.Process.Pid))
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(err) // what the thread does next would be done in the wrong place
	}
	return listener, err
}

// leave gives the room up.
func (r *room) leave() {
	if r == nil {
		return
	}
	_ = r.holder.Process.Kill()
	_ = r.holder.Wait()
}
