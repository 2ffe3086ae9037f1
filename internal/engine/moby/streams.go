// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Logs implements [engine.Logger].
func (e *Engine) Logs(ctx context.Context, key engine.Key, options engine.LogOptions) (io.ReadCloser, error) {
	inspect, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	inspected, err := e.inspectContainer(inspect, key)
	if err != nil {
		return nil, err
	}
	// Podman answers when there is something to read, which may be never.
	reader, writer := io.Pipe()
	ctx, stop := context.WithCancel(ctx)
	answered := make(chan error, 1)
	go func() { // ends with ctx, and with its reader
		last, err := e.lastLines(ctx, inspected, options.Tail)
		var logs io.ReadCloser
		if err == nil {
			logs, err = e.log(ctx, inspected.ID, last.entries, options.Follow)
		}
		answered <- err
		if err == nil {
			err = merge(&lineSkipper{to: writer, skip: last.skip}, logs, inspected)
		}
		_ = writer.CloseWithError(err)
	}()
	select {
	case err = <-answered:
		if err != nil {
			stop()
			return nil, err
		}
	case <-time.After(logGrace):
	}
	return logReader{reader, stop}, nil
}

// logGrace is how long a log may take to begin, before it is taken for one with
// nothing in it yet.
const logGrace = 200 * time.Millisecond

// logReader ends the engine's call when it is closed.
type logReader struct {
	*io.PipeReader
	stop context.CancelFunc
}

// Close implements [io.Closer].
func (r logReader) Close() error {
	r.stop()
	return r.PipeReader.Close()
}

// Exec implements [engine.Execer].
func (e *Engine) Exec(ctx context.Context, key engine.Key, options engine.ExecOptions) (engine.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c := e.clients.Load()
	created, err := c.api.ExecCreate(ctx, key.ID, client.ExecCreateOptions{
		Cmd:          options.Command,
		TTY:          options.TTY,
		AttachStdin:  options.Stdin,
		AttachStdout: true,
		AttachStderr: !options.TTY,
	})
	if err != nil {
		return nil, refusal(err)
	}
	if err := engine.CheckKey(engine.Key{Kind: engine.KindContainer, ID: created.ID}); err != nil {
		return nil, fmt.Errorf("the engine names a process that %w", err)
	}
	return &process{client: c.api, hijack: c.hijack, id: created.ID, tty: options.TTY}, nil
}

// endOfInput ends the input at a terminal (POSIX, "General Terminal Interface",
// EOF): it can't be closed like a pipe.
const endOfInput = 0x04

type process struct {
	client *client.Client
	hijack *client.Client
	id     string
	tty    bool
}

// Run implements [engine.Process].
func (p *process) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	attached, err := p.attach(ctx)
	if err != nil {
		return 0, translate(err)
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)()
	if stdin != nil {
		go func() { // ends with stdin, or when the connection is closed
			_, _ = io.Copy(attached.Conn, stdin)
			if p.tty {
				_, _ = attached.Conn.Write([]byte{endOfInput})
				return
			}
			_ = attached.CloseWrite()
		}()
	}
	output := &outputReader{Reader: attached.Reader}
	if p.tty {
		_, err = io.Copy(stdout, output)
	} else {
		err = demultiplex(stdout, stderr, output)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, err
	}
	return p.exitCode(ctx, output.reset)
}

// attach starts the process. The engine has a while to answer; its streams then
// have no limit of time.
func (p *process) attach(ctx context.Context) (client.ExecAttachResult, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.hijack.ExecAttach(ctx, p.id, client.ExecAttachOptions{TTY: p.tty})
}

// Resize implements [engine.Process].
func (p *process) Resize(ctx context.Context, size engine.TerminalSize) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := p.client.ExecResize(ctx, p.id, client.ExecResizeOptions{Height: uint(size.Height), Width: uint(size.Width)})
	return translate(err)
}
