// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

const (
	// pieceSize is how much of a line Docker keeps in one entry of a log, and
	// tailFactor by how much more entries are asked for when some hold too few
	// lines. (Podman's pieces are of 8 kB.)
	pieceSize  = 16 << 10
	tailFactor = 4

	// driverLocal is the log driver that loses the newline behind the last piece of
	// a line, as seen with Docker 20.10.
	driverLocal = "local"
)

// logTail is what to ask for to get the last lines of a log: engines count
// entries, of which a long line has several.
type logTail struct {
	entries string // as in the API
	skip    int    // how many ends of lines to leave out at its beginning
}

// lastLines returns how to get the last lines of a container's log. Lines that are
// written in this moment may take the place of as many others, but none is cut.
func (e *Engine) lastLines(ctx context.Context, c *container.InspectResponse, lines int) (logTail, error) {
	if lines <= 0 {
		return logTail{entries: tail(lines)}, nil
	}
	entries, size := lines+1, int64(-1)
	if e.podman.Load() {
		entries = -1 // of fewer than all it ends other lines than those that end
	}
	for ; ; entries *= tailFactor {
		logs, err := e.log(ctx, c.ID, tail(entries), false)
		if err != nil {
			return logTail{}, err
		}
		var counter lineCounter
		if err := merge(&counter, logs, c); err != nil {
			return logTail{}, err
		}
		whole := entries < 0 || counter.size == size // as it was with fewer entries
		if found := counter.lines(); found > lines || whole {
			return logTail{tail(entries), max(0, found-lines)}, nil
		}
		size = counter.size
	}
}

func (e *Engine) log(ctx context.Context, id, tail string, follow bool) (io.ReadCloser, error) {
	logs, err := e.api().ContainerLogs(expectEndless(ctx, "a log"), id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Follow: follow, Tail: tail,
	})
	return logs, translate(err)
}

// merge writes a log in which frames of standard output and error take turns
// (https://docs.docker.com/reference/api/engine/, "Attach to a container"). That
// of a terminal has none.
func merge(w streamWriter, logs io.ReadCloser, c *container.InspectResponse) error {
	defer func() { _ = logs.Close() }()
	if c.Config != nil && c.Config.Tty {
		_, err := io.Copy(stream{w, 0}, logs)
		return err
	}
	if c.HostConfig != nil && c.HostConfig.LogConfig.Type == driverLocal {
		return demultiplex(&mended{to: stream{w, 0}}, &mended{to: stream{w, 1}}, logs)
	}
	return demultiplex(stream{w, 0}, stream{w, 1}, logs)
}

// streamWriter takes what two streams have in turns.
type streamWriter interface {
	write(stream int, text []byte) error
}

// stream is one of the two.
type stream struct {
	to     streamWriter
	number int
}

// Write implements [io.Writer].
func (s stream) Write(text []byte) (int, error) { return len(text), s.to.write(s.number, text) }

// mended ends a line that a frame ends without a newline.
type mended struct {
	to   io.Writer
	last byte
}

// Write implements [io.Writer].
func (m *mended) Write(text []byte) (int, error) {
	if len(text) > 0 {
		m.last = text[len(text)-1]
	}
	return m.to.Write(text)
}

// endFrame implements [frameEnder].
func (m *mended) endFrame(size int64) error {
	last := m.last
	m.last = 0
	if size >= pieceSize || last == '\n' {
		return nil
	}
	_, err := m.to.Write([]byte{'\n'})
	return err
}

// lineCounter counts lines.
type lineCounter struct {
	ends  int
	size  int64
	begun [2]bool // that a stream has a line without an end
}

func (l *lineCounter) write(stream int, text []byte) error {
	l.ends += bytes.Count(text, []byte{'\n'})
	l.size += int64(len(text))
	l.begun[stream] = len(text) > 0 && text[len(text)-1] != '\n'
	return nil
}

func (l *lineCounter) lines() int {
	lines := l.ends
	for _, begun := range l.begun {
		if begun {
			lines++
		}
	}
	return lines
}

// lineSkipper leaves out the lines that end first. Of others that have begun by
// then nothing is lost.
type lineSkipper struct {
	to    io.Writer
	skip  int
	begun [2][]byte // the beginnings of lines, while lines are left out
}

func (l *lineSkipper) write(stream int, text []byte) error {
	for l.skip > 0 {
		line, rest, ended := bytes.Cut(text, []byte{'\n'})
		if !ended {
			if len(l.begun[stream])+len(line) <= limits.Line {
				l.begun[stream] = append(l.begun[stream], line...)
			}
			return nil
		}
		l.begun[stream], text = nil, rest
		if l.skip--; l.skip > 0 {
			continue
		}
		for other, begun := range l.begun {
			l.begun[other] = nil
			if _, err := l.to.Write(begun); err != nil {
				return err
			}
		}
	}
	if len(text) == 0 {
		return nil
	}
	_, err := l.to.Write(text)
	return err
}

func tail(lines int) string {
	if lines < 0 {
		return "all"
	}
	return strconv.Itoa(lines)
}
