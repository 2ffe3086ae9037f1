// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/fifo"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/tempdir"
)

const (
	// processType is containerd's name for a process in the runtime's
	// specification, in JSON (its client's init).
	processType = "types.containerd.io/opencontainers/runtime-spec/1/Process"

	// endOfInput ends the input at a terminal (POSIX, "General Terminal
	// Interface", EOF): it can't be closed like a pipe.
	endOfInput = 0x04
)

// Exec implements [engine.Execer]. containerd opens named pipes of its client, so both
// must be on one machine.
func (e *Engine) Exec(ctx context.Context, key engine.Key, options engine.ExecOptions) (engine.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := e.container(ctx, key)
	if err != nil {
		return nil, err
	}
	own, err := e.task(ctx, key)
	if err != nil {
		return nil, err
	}
	if own.GetStatus() != task.Status_RUNNING {
		return nil, refuse(key, own, "a process requires a running container")
	}
	specification, err := processSpec(c.GetSpec().GetValue(), options)
	if err != nil {
		return nil, fmt.Errorf("%w: the specification of container %s: %w", engine.ErrRefused, key.ID, err)
	}
	return &process{engine: e, key: key, id: "rdd-" + uuid.NewString(), options: options, spec: specification}, nil
}

// processSpec returns the specification of the container's process with another
// command.
func processSpec(container []byte, options engine.ExecOptions) ([]byte, error) {
	var own struct {
		Process map[string]any `json:"process"`
	}
	if err := json.Unmarshal(container, &own); err != nil {
		return nil, err
	}
	if own.Process == nil {
		return nil, errors.New("it has no process")
	}
	own.Process["args"] = options.Command
	own.Process["terminal"] = options.TTY
	return json.Marshal(own.Process)
}

// process is an additional process in a container.
type process struct {
	engine  *Engine
	key     engine.Key
	id      string
	options engine.ExecOptions
	spec    []byte
	// runs is whether the process has started: containerd ignores a terminal size
	// before that.
	runs atomic.Bool
}

var errNotRunning = errors.New("the process has not started")

// Run implements [engine.Process].
func (p *process) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	temporary, err := tempdir.New("rdd-exec-")
	if err != nil {
		return 0, err
	}
	defer temporary.Remove()
	dir := temporary.Path
	pipes, err := p.openPipes(dir, stdin != nil)
	if err != nil {
		return 0, err
	}
	defer pipes.close()
	// Not canceled by ctx: if a client disconnected during the start, it would not be
	// known whether the process runs.
	beginning, cancel := context.WithTimeout(in(p.engine.alive, p.key.Namespace), callTimeout)
	defer cancel()
	request := &tasksapi.ExecProcessRequest{
		ContainerID: p.key.ID, ExecID: p.id, Terminal: p.options.TTY,
		Spec: &anypb.Any{TypeUrl: processType, Value: p.spec}, Stdout: filepath.Join(dir, "stdout"),
	}
	if stdin != nil {
		request.Stdin = filepath.Join(dir, "stdin")
	}
	if !p.options.TTY {
		request.Stderr = filepath.Join(dir, "stderr")
	}
	if _, err := p.engine.tasks.Exec(beginning, request); err != nil {
		return 0, p.engine.refusal(err)
	}
	if ctx.Err() != nil {
		p.forget()
		return 0, ctx.Err()
	}
	if _, err := p.engine.tasks.Start(beginning, &tasksapi.StartRequest{ContainerID: p.key.ID, ExecID: p.id}); err != nil {
		p.forget()
		return 0, p.engine.refusal(err)
	}
	p.runs.Store(true)
	defer p.engine.inBackground(func() { // it may continue to run
		_, _ = p.engine.tasks.Wait(in(p.engine.alive, p.key.Namespace), &tasksapi.WaitRequest{ContainerID: p.key.ID, ExecID: p.id})
		p.forget()
	})
	return p.attend(ctx, pipes, stdin, stdout, stderr)
}

// attend copies the streams of a process, and waits for its exit.
func (p *process) attend(ctx context.Context, pipes *pipes, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	defer context.AfterFunc(ctx, pipes.close)()
	if stdin != nil {
		go func() { // ends with stdin, or when the pipe is closed
			_, _ = io.Copy(pipes.stdin, stdin)
			if p.options.TTY {
				_, _ = pipes.stdin.Write([]byte{endOfInput})
				return
			}
			_ = pipes.stdin.Close()
			p.closeInput()
		}()
		defer p.closeInput()
	}
	var copying sync.WaitGroup
	copying.Go(func() { _, _ = io.Copy(stdout, pipes.stdout) })
	if pipes.stderr != nil {
		copying.Go(func() { _, _ = io.Copy(stderr, pipes.stderr) })
	}
	ended, err := p.engine.tasks.Wait(in(ctx, p.key.Namespace), &tasksapi.WaitRequest{ContainerID: p.key.ID, ExecID: p.id})
	if err != nil {
		pipes.close()
	}
	copying.Wait()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return int(ended.GetExitStatus()), p.engine.translate(err)
}

// closeInput closes containerd's end of the input: closing the pipe alone does not end
// the input.
func (p *process) closeInput() {
	_, _ = p.engine.tasks.CloseIO(in(p.engine.alive, p.key.Namespace), &tasksapi.CloseIORequest{ContainerID: p.key.ID, ExecID: p.id, Stdin: true})
}

// forget deletes the process from containerd.
func (p *process) forget() {
	_, _ = p.engine.tasks.DeleteProcess(in(p.engine.alive, p.key.Namespace), &tasksapi.DeleteProcessRequest{ContainerID: p.key.ID, ExecID: p.id})
}

// Resize implements [engine.Process].
func (p *process) Resize(ctx context.Context, size engine.TerminalSize) error {
	if !p.runs.Load() {
		return errNotRunning
	}
	_, err := p.engine.tasks.ResizePty(in(ctx, p.key.Namespace), &tasksapi.ResizePtyRequest{
		ContainerID: p.key.ID, ExecID: p.id, Width: uint32(size.Width), Height: uint32(size.Height),
	})
	return p.engine.translate(err)
}

// pipes are this side's ends of a process's streams; nil for absent ones.
type pipes struct {
	stdin, stdout, stderr io.ReadWriteCloser
}

// openPipes creates the pipes. The opening completes when containerd opens them.
func (p *process) openPipes(dir string, input bool) (*pipes, error) {
	opened := &pipes{}
	for _, pipe := range []struct {
		name   string
		mode   int
		wanted bool
		into   *io.ReadWriteCloser
	}{
		{"stdin", syscall.O_WRONLY, input, &opened.stdin},
		{"stdout", syscall.O_RDONLY, true, &opened.stdout},
		{"stderr", syscall.O_RDONLY, !p.options.TTY, &opened.stderr},
	} {
		if !pipe.wanted {
			continue
		}
		f, err := fifo.OpenFifo(p.engine.alive, filepath.Join(dir, pipe.name), pipe.mode|syscall.O_CREAT|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			opened.close()
			return nil, fmt.Errorf("create a pipe for %s: %w", pipe.name, err)
		}
		*pipe.into = f
	}
	return opened, nil
}

// close closes all pipes. It may be called again.
func (p *pipes) close() {
	for _, pipe := range []io.Closer{p.stdin, p.stdout, p.stderr} {
		if pipe != nil {
			_ = pipe.Close()
		}
	}
}
