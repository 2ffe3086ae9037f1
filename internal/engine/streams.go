// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"io"
)

// AllLines is a [LogOptions.Tail] for everything that there is.
const AllLines = -1

// LogOptions say which part of a container's log to read.
type LogOptions struct {
	// Tail is how many of the last lines to begin with.
	Tail int
	// Follow goes on until the container ends.
	Follow bool
}

// Logger is an engine that keeps what containers write.
type Logger interface {
	// Logs returns what a container wrote to its standard output and error, in
	// order, byte for byte. [ErrRefused] says that it is not kept.
	Logs(ctx context.Context, key Key, options LogOptions) (io.ReadCloser, error)
}

// ExecOptions say what to run.
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
	// Exec prepares a process. [ErrRefused] says that the container does not run.
	Exec(ctx context.Context, key Key, options ExecOptions) (Process, error)
}

// Process is a process that is to run in a container.
type Process interface {
	// Run runs it once, and returns its exit code when it has ended. It reads
	// stdin, which is nil where none is attached, to its end. When ctx ends so
	// does Run, and the engine's side of the streams; whether the process ends
	// is up to the process.
	Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (exitCode int, err error)

	// Resize tells the size of its terminal, in characters. It fails before the
	// process runs.
	Resize(ctx context.Context, size TerminalSize) error
}

// TerminalSize is in characters.
type TerminalSize struct{ Width, Height uint16 }
