// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// event writes an event of the host agent's.
func event(status map[string]any) {
	text, _ := json.Marshal(map[string]any{"time": time.Now(), "status": status})
	fmt.Println(string(text))
}

// runAgent is a host agent: it runs the virtual machine, and tells of it.
func runAgent(i instance) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	check(os.WriteFile(i.file("ha.pid"), []byte(strconv.Itoa(os.Getpid())), 0o600))
	say("info", "Starting QEMU (hint: to watch the boot progress, see `"+i.file("serial*.log")+"`)")
	driver := i.spawn("driver", nil, nil)
	check(os.WriteFile(i.file("qemu.pid"), []byte(strconv.Itoa(driver.Process.Pid)), 0o600))
	died := make(chan error, 1)
	go func() { died <- driver.Wait() }()
	event(map[string]any{"sshLocalPort": sshPort})

	faults := stage.Read(i.home)
	steps := bootSteps(i, faults)
	pause := time.Duration(faults.BootMS) * time.Millisecond / time.Duration(len(steps))
	next := time.After(pause)
	gone := time.NewTicker(tick)
	exit := func(why string) {
		say("info", why)
		_ = driver.Process.Kill()
		event(map[string]any{"exiting": true})
		_ = os.Remove(i.file("qemu.pid"))
		_ = os.Remove(i.file("ha.pid"))
		os.Exit(0)
	}
	for {
		select {
		case <-next:
			steps[0]()
			if steps = steps[1:]; len(steps) > 0 {
				next = time.After(pause)
			}
		case err := <-died:
			exit(fmt.Sprintf("Driver stopped due to error: `%v`", err))
		case <-signals:
			// Before the guest has booted it does not hear of it.
			if ready, _, _ := i.said(); ready && !stage.Read(i.home).StopHangs {
				exit("Received SIGINT, shutting down the host agent")
			}
		case <-gone.C:
			if !i.exists() {
				_ = driver.Process.Kill()
				os.Exit(1)
			}
		}
	}
}

// bootSteps are what happens during a boot.
func bootSteps(i instance, faults stage.Faults) []func() {
	logs := func(message string) func() { return func() { say("info", message) } }
	steps := []func(){
		logs("Waiting for the essential requirement 1 of 3: `ssh`"),
		logs("The essential requirement 1 of 3 is satisfied"),
	}
	switch faults.Boot {
	case stage.BootHangs:
		return steps
	case stage.BootFails:
		return append(steps, func() {
			say("debug", "qemu[stderr]: Could not set up the machine")
			driver := i.driver()
			_ = syscall.Kill(driver, syscall.SIGKILL)
		})
	}
	steps = append(steps, logs("Guest agent is running"), func() {
		say("info", "READY. Run `limactl shell "+i.name+"` to open the shell.")
		status := map[string]any{"running": true, "sshLocalPort": sshPort}
		if faults.Boot == stage.BootDegraded {
			status["degraded"], status["errors"] = true, []string{"mounts are not there"}
		}
		event(status)
	})
	if faults.Boot == stage.BootDies {
		steps = append(steps, func() { _ = syscall.Kill(i.driver(), syscall.SIGKILL) })
	}
	return steps
}

// serve has an engine answer at a socket; where there is none connections are
// closed at once.
func serve(listener net.Listener, engine string) {
	for {
		here, err := listener.Accept()
		check(err)
		there, err := net.Dial("unix", engine)
		if err != nil {
			_ = here.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				if to, ok := pair[0].(*net.UnixConn); ok {
					_ = to.CloseWrite()
				}
			}()
		}
	}
}

// runDriver is a virtual machine: it forwards its sockets until it is killed, or
// the instance is. Its sockets stay behind, as those of Lima do.
func runDriver(i instance) {
	for _, socket := range i.sockets() {
		check(os.MkdirAll(filepath.Dir(socket.HostSocket), 0o700))
		_ = os.Remove(socket.HostSocket)
		listener, err := net.Listen("unix", socket.HostSocket)
		check(err)
		go serve(listener, stage.Read(i.home).Engines[socket.GuestSocket])
	}
	for i.exists() {
		time.Sleep(tick)
	}
}
