// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"io"
)

// AllLines is a [LogOptions.Tail] for the whole log.
const AllLines = -1

// LogOptions select the part of a container's log to read.
type LogOptions struct {
	// Tail is the number of the last lines to begin with.
	Tail int
	// Follow continues until the container exits.
	Follow bool
}

// Logger is an engine that keeps the logs of containers.
type Logger interface {
	// Logs returns the standard output and error of a container, in order, byte for
	// byte. The error is [ErrRefused] if the engine does not keep them.
	Logs(ctx context.Context, key Key, options LogOptions) (io.ReadCloser, error)
}

// ExecOptions describe the process to run.
type ExecOptions struct {
	// Command is the program and its arguments.
	Command []string
	// TTY gives it a terminal, which mixes its standard output and error.
	TTY bool
	// Stdin attaches its standard input.
	Stdin bool
}

// Execer is an engine that can run further processes in a container.
type Execer interface {
	// Exec prepares a process. The error is [ErrRefused] if the container does not
	// run.
	Exec(ctx context.Context, key Key, options ExecOptions) (Process, error)
}

// Process is a prepared process in a container.
type Process interface {
	// Run runs the process once, and returns its exit code. It reads stdin, which is
	// nil if none is attached, to its end. When ctx ends, Run returns and the engine
	// closes the streams; the process may continue.
	Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (exitCode int, err error)

	// Resize sets the size of its terminal, in characters. It fails until the process
	// runs.
	Resize(ctx context.Context, size TerminalSize) error
}

// TerminalSize is in characters.
type TerminalSize struct{ Width, Height uint16 }
