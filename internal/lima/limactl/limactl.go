// SPDX-License-Identifier: Apache-2.0

// Package limactl drives Lima through its command line, and reads what its host
// agent writes. docs/design/limactl.md records what limactl does; it is the
// source of every fact that is relied on here.
package limactl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

// MinVersion is the oldest Lima whose commands are known to do what is asked of
// them here.
const MinVersion = "2.0.0"

const (
	// queryLimit is how long a command may take that only looks, or writes a file
	// or two.
	queryLimit = 30 * time.Second
	// forceLimit is how long a forced stop may take, which waits for nothing.
	forceLimit = 30 * time.Second
	// maxOutput is how much of what a command said is looked at for the reason of
	// its failure, in bytes.
	maxOutput = 64 << 10
)

// Client runs one limactl for one LIMA_HOME. It is safe for concurrent use.
type Client struct {
	// Path of limactl.
	Path string
	// Home is LIMA_HOME.
	Home string
}

// Open returns a client for the limactl that is found in the places. The error
// is of the kinds [Missing] and [TooOld], or [Failed] where limactl does not say
// its version.
func Open(ctx context.Context, probe *Probe, places Places, home string) (*Client, error) {
	if _, err := places.Find(); err != nil {
		return nil, err
	}
	found := probe.Look(ctx, places)
	if found.Version == "" {
		kind := classify(found.Message)
		return nil, &Error{Kind: kind, Message: found.Message}
	}
	has, err := version.ParseGeneric(found.Version)
	if err == nil && has.LessThan(version.MustParseGeneric(MinVersion)) {
		return nil, &Error{Kind: TooOld, Message: fmt.Sprintf("%s is Lima %s", found.Path, found.Version)}
	}
	return &Client{Path: found.Path, Home: home}, nil
}

// Dir returns the directory of an instance.
func (c *Client) Dir(name string) string { return filepath.Join(c.Home, name) }

// call is one run of limactl.
type call struct {
	args []string
	// dir is the working directory; empty for LIMA_HOME.
	dir string
	// home is LIMA_HOME; empty for the client's.
	home string
	// log takes what limactl says, so that it can go on when this process ends;
	// nil for a pipe.
	log *os.File
	// detached says that limactl must live on, whatever happens to this process.
	detached bool
}

// run runs limactl and returns what it printed. An error is an [*Error], or
// ctx's: limactl has been killed then.
func (c *Client) run(ctx context.Context, r call) ([]byte, error) {
	op := r.args[0]
	if err := os.MkdirAll(c.Home, 0o700); err != nil {
		return nil, &Error{Op: op, Message: err.Error()}
	}
	cmd := exec.CommandContext(ctx, c.Path, append([]string{"--log-format", "json", "--tty=false"}, r.args...)...) //nolint:gosec // without a shell; limactl is the user's
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), HomeEnv+"="+c.Home)
	if r.dir == "" {
		cmd.Dir = c.Home
	}
	if r.home != "" {
		cmd.Env = append(cmd.Env, HomeEnv+"="+r.home)
	}
	process.Alone(cmd)
	if r.detached {
		process.Detach(cmd)
		cmd.Cancel = func() error { return cmd.Process.Kill() }
	}
	var stdout, stderr bytes.Buffer
	var from int64
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, outputLimit
	if r.log != nil {
		from, _ = r.log.Seek(0, io.SeekEnd)
		cmd.Stdout, cmd.Stderr = r.log, r.log
	}
	err := process.Start(cmd) // the host agents that it starts live on
	if err == nil {
		err = cmd.Wait()
	}
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	said := stderr.Bytes()
	if r.log != nil {
		said = readFrom(r.log, from)
	}
	if said := lastWords(said); said != "" {
		return nil, &Error{Op: op, Kind: classify(said), Message: said}
	}
	return nil, &Error{Op: op, Message: err.Error()}
}

// readFrom returns what was written to a log since it had that size.
func readFrom(log *os.File, from int64) []byte {
	data, err := io.ReadAll(io.NewSectionReader(log, from, maxOutput))
	if err != nil {
		return nil
	}
	return data
}

// line is one of limactl's log, with --log-format json.
type line struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
}

// lastWords returns why limactl has failed: its last fatal message, or error, or
// the last line of any kind.
func lastWords(log []byte) string {
	var fatal, failed, last string
	for text := range bytes.Lines(log) {
		var said line
		text = bytes.TrimSpace(text)
		if json.Unmarshal(text, &said) != nil {
			said = line{Msg: string(text)}
		}
		switch {
		case said.Msg == "":
			continue
		case said.Level == "fatal":
			fatal = said.Msg
		case said.Level == "error":
			failed = said.Msg
		}
		last = said.Msg
	}
	for _, words := range []string{fatal, failed, last} {
		if words != "" {
			return strings.TrimSpace(words)
		}
	}
	return ""
}

// limited runs a command that may not take longer than that.
func (c *Client) limited(ctx context.Context, limit time.Duration, r call) ([]byte, error) {
	tooLong := &Error{Op: r.args[0], Kind: TimedOut, Message: fmt.Sprintf("it took longer than %s", limit)}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, tooLong)
	defer cancel()
	return c.run(ctx, r)
}

// query runs a command that is over soon.
func (c *Client) query(ctx context.Context, args ...string) ([]byte, error) {
	return c.limited(ctx, queryLimit, call{args: args})
}
