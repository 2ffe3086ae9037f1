// SPDX-License-Identifier: Apache-2.0

// Package limactl drives Lima through its command line, and reads what its host agent
// writes. docs/design/limactl.md is the source of every fact about limactl in this
// package.
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

// MinVersion is the oldest supported Lima.
const MinVersion = "2.0.0"

const (
	// queryLimit bounds a command that only reads, or writes a few files.
	queryLimit = 30 * time.Second
	// forceLimit bounds a forced stop, which waits for nothing.
	forceLimit = 30 * time.Second
	// maxOutput is how much of a command's output is searched for the reason of its
	// failure, in bytes.
	maxOutput = 64 << 10
)

// Client runs one limactl for one LIMA_HOME. It is safe for concurrent use.
type Client struct {
	// Path of limactl.
	Path string
	// Home is LIMA_HOME.
	Home string
}

// Open returns a client for the limactl in the places. The error is of the kinds
// [Missing] and [TooOld], or [Failed] if limactl does not report its version.
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
	// log receives limactl's output, so that limactl can continue when this process
	// exits; nil for a pipe.
	log *os.File
	// detached is whether limactl must outlive this process.
	detached bool
}

// run runs limactl and returns its output. The error is an [*Error], or ctx's if
// limactl was killed.
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
	err := process.Start(cmd) // the host agents that it starts outlive it
	if err == nil {
		err = cmd.Wait()
	}
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	output := stderr.Bytes()
	if r.log != nil {
		output = readFrom(r.log, from)
	}
	if message := lastWords(output); message != "" {
		return nil, &Error{Op: op, Kind: classify(message), Message: message}
	}
	return nil, &Error{Op: op, Message: err.Error()}
}

// readFrom returns what was appended to a log since it had that size.
func readFrom(log *os.File, from int64) []byte {
	data, err := io.ReadAll(io.NewSectionReader(log, from, maxOutput))
	if err != nil {
		return nil
	}
	return data
}

// line is a line of limactl's log, with --log-format json.
type line struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
}

// lastWords returns why limactl failed: its last fatal or error message, else its last
// line.
func lastWords(log []byte) string {
	var fatal, failed, last string
	for text := range bytes.Lines(log) {
		var entry line
		text = bytes.TrimSpace(text)
		if json.Unmarshal(text, &entry) != nil {
			entry = line{Msg: string(text)}
		}
		switch {
		case entry.Msg == "":
			continue
		case entry.Level == "fatal":
			fatal = entry.Msg
		case entry.Level == "error":
			failed = entry.Msg
		}
		last = entry.Msg
	}
	for _, words := range []string{fatal, failed, last} {
		if words != "" {
			return strings.TrimSpace(words)
		}
	}
	return ""
}

// limited runs a command with a time limit.
func (c *Client) limited(ctx context.Context, limit time.Duration, r call) ([]byte, error) {
	tooLong := &Error{Op: r.args[0], Kind: TimedOut, Message: fmt.Sprintf("timed out after %s", limit)}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, tooLong)
	defer cancel()
	return c.run(ctx, r)
}

// query runs a short command.
func (c *Client) query(ctx context.Context, args ...string) ([]byte, error) {
	return c.limited(ctx, queryLimit, call{args: args})
}
