// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

// childGrace is how long the proxy may take to exit after the request to stop.
const childGrace = 5 * time.Second

// child is the proxy process between this one and a database. It exits when its
// standard input ends, and so when this process is killed.
type child struct {
	cmd   *exec.Cmd
	input io.Closer
	done  chan struct{} // closed when it has exited

	mu   sync.Mutex
	last string // guarded by mu; its last line of output
}

// startChild starts the proxy, with a socket at the given path.
func startChild(endpoint datastore.Endpoint, socket string, log *slog.Logger) (*child, error) {
	program, err := findProgram()
	if err != nil {
		return nil, err
	}
	// Other users can read arguments, and the endpoint may have a password.
	cmd := exec.CommandContext(context.Background(), program) //nolint:gosec // beside this program
	cmd.Env = append(os.Environ(),
		datastore.EndpointEnv+"="+endpoint.Address.Reveal(),
		datastore.CAFileEnv+"="+endpoint.CAFile,
		datastore.CertFileEnv+"="+endpoint.CertFile,
		datastore.KeyFileEnv+"="+endpoint.KeyFile,
		datastore.ListenerEnv+"="+socket)
	c := &child{cmd: cmd, done: make(chan struct{})}
	if c.input, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		defer close(c.done)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			line := endpoint.Address.Scrub(lines.Text()) // drivers quote the address
			c.mu.Lock()
			if process.CrashReason(c.last) == "" { // after a crash only stack traces follow
				c.last = line
			}
			c.mu.Unlock()
			log.Warn("output of the datastore program", "program", datastore.Program, "line", line)
		}
		_, _ = io.Copy(io.Discard, output) // after a line that is too long
		_ = cmd.Wait()
	}()
	return c, nil
}

// findProgram searches beside this program, and then in PATH.
func findProgram() (string, error) {
	name := datastore.Program
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program %s is required, and was found neither at %s nor in PATH: `make build` builds it, "+
			"and the archive rdd-controllers contains it", name, beside)
	}
	return path, nil
}

// words returns the process's last line of output, as an error.
func (c *child) words() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == "" {
		return errors.New(datastore.Program + " exited without an error message")
	}
	return errors.New(datastore.Program + ": " + c.last)
}

// stop stops the process, and waits for it.
func (c *child) stop() {
	_ = c.input.Close()
	timer := time.AfterFunc(childGrace, func() { _ = c.cmd.Process.Kill() })
	defer timer.Stop()
	<-c.done
}
