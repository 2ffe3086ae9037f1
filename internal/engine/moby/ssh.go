// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker/cli/cli/connhelper/commandconn"
	"github.com/docker/cli/cli/connhelper/ssh"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

const (
	// sshDials is how many logins may be under way. A server begins to refuse
	// them at 10 (MaxStartups in sshd_config(5)).
	sshDials = 4
	// sshLines is how much of what ssh said gets into an error.
	sshLines = 3
	// sshEnd bounds the wait for an ssh process to end. It is killed after three
	// seconds.
	sshEnd = 5 * time.Second
)

// sshDialer makes connections through the user's ssh client, a process each, as
// Docker's client does: the other end is the docker command on the host.
type sshDialer struct {
	args   []string
	target string // user@host, for errors
	slots  chan struct{}
	limit  time.Duration // of a dial

	mu     sync.Mutex
	conns  map[*sshConn]struct{} // guarded by mu; those that are open
	closed bool                  // guarded by mu; no connection follows
}

// newSSHDialer returns a dialer for an endpoint ssh://user@host:port/path.
func newSSHDialer(address endpoint.Endpoint) (*sshDialer, error) {
	spec := ssh.Spec{User: address.User, Host: address.Host, Port: address.Port}
	command := []string{"docker", "system", "dial-stdio"}
	if strings.Trim(address.Path, "/") != "" { // it is of the other machine, whatever this one's paths are
		command = []string{"docker", "--host=" + endpoint.Unix.String() + address.Path, "system", "dial-stdio"}
	}
	args, err := spec.Command([]string{
		"-T", "-o", "BatchMode=yes", // no user is there to answer a question
		"-o", "ConnectTimeout=10",
		"-o", "ServerAliveInterval=15", // a host that went away is noticed after 45 s
		"-o", "ControlMaster=no", // a master would live on; one that is there is used
	}, command...)
	if err != nil {
		return nil, err
	}
	target := address.Host
	if address.User != "" {
		target = address.User + "@" + target
	}
	return &sshDialer{
		args: args, target: target, slots: make(chan struct{}, sshDials), limit: dialTimeout, conns: map[*sshConn]struct{}{},
	}, nil
}

func (d *sshDialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.limit, fmt.Errorf("ssh to %s: no answer within %s", d.target, d.limit))
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	conn, err := d.start(ctx)
	if err != nil {
		return nil, err
	}
	again, err := probe(ctx, conn, "")
	if errors.Is(err, syscall.EPIPE) { // it ended before it read anything: its end says why
		_, err = conn.Read(make([]byte, 1))
	}
	if err == nil && !again {
		return conn, nil
	}
	_ = conn.Close()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrClosed):
		return nil, fmt.Errorf("ssh to %s: the docker command there ended without an answer", d.target)
	case err == nil:
		return nil, fmt.Errorf("ssh to %s: what answers there is no Docker engine", d.target)
	}
	return nil, err
}

// start starts an ssh process.
func (d *sshDialer) start(ctx context.Context) (*sshConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, net.ErrClosed
	}
	process, err := commandconn.New(ctx, "ssh", d.args...)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("the program ssh is needed, and is not in the PATH that rdd was started with: %w", err)
	}
	if err != nil {
		return nil, err
	}
	conn := &sshConn{Conn: process, dialer: d}
	d.conns[conn] = struct{}{}
	return conn, nil
}

func (d *sshDialer) forget(conn *sshConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, conn)
}

// close ends all connections, and waits until their processes have ended.
func (d *sshDialer) close() {
	d.mu.Lock()
	d.closed = true
	conns := slices.Collect(maps.Keys(d.conns))
	d.mu.Unlock()
	var ending sync.WaitGroup
	for _, conn := range conns {
		ending.Go(func() { _ = conn.Close() })
	}
	ending.Wait()
}

// sshConn is a connection over an ssh process, which ends with it.
type sshConn struct {
	net.Conn
	dialer *sshDialer
	once   sync.Once
	ending context.Context // set by Close; over when the process has ended, or is given up
}

// Close implements [net.Conn]. It returns when the process has ended, or could
// not be ended in time: commandconn waits for all that hold its stderr.
func (c *sshConn) Close() error {
	c.once.Do(func() {
		var ended context.CancelFunc
		c.ending, ended = context.WithTimeout(context.Background(), sshEnd)
		go func() {
			defer ended()
			_ = c.Conn.Close() // how a process ends that was asked to does not matter
			c.dialer.forget(c)
		}()
	})
	<-c.ending.Done()
	return nil
}

// Read implements [net.Conn]. Where the process failed the error has what it
// said at last.
func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.dialer.reason(err)
}

// Write implements [net.Conn].
func (c *sshConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.dialer.reason(err)
}

// reason takes ssh's own words out of an error of commandconn, which has the
// whole command line before them.
func (d *sshDialer) reason(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	_, said, ok := strings.Cut(err.Error(), "stderr=")
	if said = lastLines(said, sshLines); !ok || said == "" {
		return err
	}
	return fmt.Errorf("ssh to %s: %s", d.target, said)
}

// lastLines returns the last lines of a text that are not empty, as one.
func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.TrimSpace(strings.Join(lines[max(0, len(lines)-n):], "; "))
}
