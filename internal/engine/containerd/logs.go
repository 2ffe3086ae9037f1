// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

// lastWords is how long a log must be silent after the exit of its container to be
// complete: another process may still copy the output.
const lastWords = time.Second

// logFile is the file with a container's output on this machine.
type logFile struct {
	path string
	// parse parses a line of the file; nil if the file is the plain output.
	parse func(line []byte) (logEntry, bool)
}

// Logs implements [engine.Logger]. containerd itself keeps no output: it writes it to
// the destination of the client, which may be a file. After the file is replaced by a
// new one, the new one is not followed.
func (e *Engine) Logs(ctx context.Context, key engine.Key, options engine.LogOptions) (io.ReadCloser, error) {
	asked, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := e.container(asked, key)
	if err != nil {
		return nil, err
	}
	process, err := e.task(asked, key)
	if err != nil {
		return nil, err
	}
	kept, err := logOf(c, process)
	if err != nil {
		return nil, err
	}
	file, err := regular.Open(kept.path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: the user of rdd has no permission to read the log of container %s: %w", engine.ErrRefused, key.ID, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: the log of container %s does not exist on this machine: %w", engine.ErrRefused, key.ID, err)
	case err != nil:
		return nil, err
	}
	lines := &decoder{parse: kept.parse}
	if err := lines.start(file, options.Tail); err != nil {
		_ = file.Close()
		return nil, err
	}
	running := process.GetStatus() == task.Status_RUNNING || process.GetStatus() == task.Status_PAUSED || process.GetStatus() == task.Status_PAUSING
	reader, writer := io.Pipe()
	ctx, stop := context.WithCancel(ctx)
	if !e.inBackground(func() { // ends with ctx, with its reader, and with the Engine
		defer func() { _ = file.Close() }()
		defer context.AfterFunc(e.alive, stop)()
		_ = writer.CloseWithError(e.copyLog(ctx, key, lines, kept.path, options.Follow && running, writer))
	}) {
		stop()
		_ = file.Close()
		return nil, errClosed
	}
	return logReader{reader, stop}, nil
}

// logReader ends the reading of a log when it is closed.
type logReader struct {
	*io.PipeReader
	stop context.CancelFunc
}

// Close implements [io.Closer].
func (r logReader) Close() error {
	r.stop()
	return r.PipeReader.Close()
}

// logOf returns the log file of a container, or a refusal if there is none.
func logOf(c *containersapi.Container, process *task.Process) (logFile, error) {
	noted := c.GetLabels()
	if noted[nerdctlStateDir] != "" {
		return logFile{filepath.Join(noted[nerdctlStateDir], c.GetID()+"-json.log"), parseJSONLog}, nil
	}
	if path := criMetadataOf(c).LogPath; path != "" {
		return logFile{path, parseCRILog}, nil
	}
	if address, err := url.Parse(output(c, process)); err == nil && address.Scheme == "file" {
		return logFile{address.Path, nil}, nil
	}
	if process != nil && process.GetStdout() == "" {
		return logFile{}, fmt.Errorf("%w: container %s was started without a destination for its output, so there is no log", engine.ErrRefused, c.GetID())
	}
	return logFile{}, fmt.Errorf("%w: the output of container %s goes to the client that started it, and containerd keeps no log",
		engine.ErrRefused, c.GetID())
}

// copyLog writes the lines of a log to w.
func (e *Engine) copyLog(ctx context.Context, key engine.Key, lines *decoder, path string, follow bool, w io.Writer) error {
	lines.to = w
	if !follow {
		return lines.drain()
	}
	changed, stop := e.followers.follow(path)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		_, _ = e.tasks.Wait(in(ctx, key.Namespace), &tasksapi.WaitRequest{ContainerID: key.ID})
	}()
	defer func() { cancel(); <-ended }()
	var silence <-chan time.Time
	over := ended
	for {
		if err := lines.drain(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			if silence != nil {
				silence = time.After(lastWords)
			}
		case <-over:
			over, silence = nil, time.After(lastWords)
		case <-silence:
			return lines.drain()
		}
	}
}

// seekLines sets a file to the beginning of its last lines.
func seekLines(file *os.File, lines int) error {
	if lines < 0 {
		return nil
	}
	position, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	ends := -1 // the newline that ends the last line does not count
	if position > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, position-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			ends = 0
		}
	}
	for lines > 0 && position > 0 {
		part := block[:min(int64(len(block)), position)]
		if _, err := file.ReadAt(part, position-int64(len(part))); err != nil {
			return err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' {
				continue
			}
			if ends++; ends == lines {
				_, err := file.Seek(position-int64(len(part))+int64(i)+1, io.SeekStart)
				return err
			}
		}
		position -= int64(len(part))
		if position == 0 {
			_, err := file.Seek(0, io.SeekStart)
			return err
		}
	}
	return nil
}

// decoder copies the content of a log file, line by line if it must be parsed.
type decoder struct {
	from   *bufio.Reader
	parse  func(line []byte) (logEntry, bool) // nil for none
	begins map[string]int64                   // where in the file the log of a stream begins; nil for at once
	to     io.Writer
	at     int64  // offset of the next line in the file
	begun  []byte // of a line without its end
	size   int64  // of that line, of which at most [limits.Line] bytes are kept
}

// start begins the log with the last lines of a file, or with all if lines is negative.
func (d *decoder) start(file *os.File, lines int) (err error) {
	d.from = bufio.NewReader(file)
	if d.parse == nil {
		return seekLines(file, lines)
	}
	if d.begins, err = seekEntries(file, lines, d.parse); err == nil {
		d.at, err = file.Seek(0, io.SeekCurrent)
	}
	return err
}

// drain copies the current rest of the file.
func (d *decoder) drain() error {
	if d.parse == nil {
		_, err := io.Copy(d.to, d.from)
		return err
	}
	for {
		part, err := d.from.ReadSlice('\n')
		d.size += int64(len(part))
		if d.size <= limits.Line {
			d.begun = append(d.begun, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := d.line(); err != nil {
			return err
		}
	}
}

// line writes what the line says that has come to its end. One that is too long
// can't be decoded, and something says so in its place.
func (d *decoder) line() error {
	text := fmt.Appendf(nil, "[a line of %d bytes is left out: it is longer than %s]\n", d.size, limits.Bytes(limits.Line))
	if d.size <= limits.Line {
		entry, ok := d.parse(d.begun)
		text = entry.text
		if !ok || d.at < d.begins[entry.stream] {
			text = nil
		}
	}
	d.at += d.size
	d.begun, d.size = d.begun[:0], 0
	if cap(d.begun) > limits.Small {
		d.begun = nil
	}
	_, err := d.to.Write(text)
	return err
}
