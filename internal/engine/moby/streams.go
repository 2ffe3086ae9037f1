// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"io"
	"strconv"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Logs implements [engine.Logger].
func (e *Engine) Logs(ctx context.Context, key engine.Key, options engine.LogOptions) (io.ReadCloser, error) {
	inspect, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	container, err := e.client.ContainerInspect(inspect, key.ID, client.ContainerInspectOptions{})
	if err != nil {
		return nil, translate(err)
	}
	logs, err := e.client.ContainerLogs(ctx, key.ID, client.ContainerLogsOptions{
		ShowStdout: true,
		ShowStderr: true,
		Follow:     options.Follow,
		Tail:       tail(options.Tail),
	})
	if err != nil {
		return nil, translate(err)
	}
	if config := container.Container.Config; config != nil && config.Tty {
		return logs, nil
	}
	return merge(logs), nil
}

func tail(lines int) string {
	if lines < 0 {
		return "all"
	}
	return strconv.Itoa(lines)
}

// merged reads a stream in which frames of standard output and error take turns
// (https://docs.docker.com/reference/api/engine/, "Attach to a container").
type merged struct {
	*io.PipeReader
	frames io.Closer
}

func merge(frames io.ReadCloser) io.ReadCloser {
	r, w := io.Pipe()
	go func() { // ends when frames is closed
		_, err := stdcopy.StdCopy(w, w, frames)
		_ = w.CloseWithError(err)
	}()
	return merged{r, frames}
}

// Close implements [io.Closer].
func (m merged) Close() error {
	_ = m.PipeReader.Close()
	return m.frames.Close()
}

// Exec implements [engine.Execer].
func (e *Engine) Exec(ctx context.Context, key engine.Key, options engine.ExecOptions) (engine.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	created, err := e.client.ExecCreate(ctx, key.ID, client.ExecCreateOptions{
		Cmd:          options.Command,
		TTY:          options.TTY,
		AttachStdin:  options.Stdin,
		AttachStdout: true,
		AttachStderr: !options.TTY,
	})
	if err != nil {
		return nil, translate(err)
	}
	return &process{client: e.client, hijack: e.hijack, id: created.ID, tty: options.TTY}, nil
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
	attached, err := p.hijack.ExecAttach(ctx, p.id, client.ExecAttachOptions{TTY: p.tty})
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
	if p.tty {
		_, err = io.Copy(stdout, attached.Reader)
	} else {
		_, err = stdcopy.StdCopy(stdout, stderr, attached.Reader)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, err
	}
	result, err := p.client.ExecInspect(ctx, p.id, client.ExecInspectOptions{})
	if err != nil {
		return 0, translate(err)
	}
	return result.ExitCode, nil
}

// Resize implements [engine.Process].
func (p *process) Resize(ctx context.Context, size engine.TerminalSize) error {
	_, err := p.client.ExecResize(ctx, p.id, client.ExecResizeOptions{Height: uint(size.Height), Width: uint(size.Width)})
	return translate(err)
}
