// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

// State is the state of an instance, as its host agent reports it.
type State struct {
	// Ready is whether the instance has booted.
	Ready bool
	// Degraded is whether it is running with Errors.
	Degraded bool
	Errors   []string
	// Exiting is whether the host agent is about to exit.
	Exiting bool
	// SSHLocalPort is the port of the guest's SSH server on 127.0.0.1; 0 if it is not
	// known yet.
	SSHLocalPort int
}

// Equal reports whether two states are the same.
func (s State) Equal(other State) bool {
	return s.Ready == other.Ready && s.Degraded == other.Degraded && s.Exiting == other.Exiting &&
		s.SSHLocalPort == other.SSHLocalPort && slices.Equal(s.Errors, other.Errors)
}

// event is a line of ha.stdout.log.
type event struct {
	Status struct {
		Running           bool            `json:"running"`
		Degraded          bool            `json:"degraded"`
		Exiting           bool            `json:"exiting"`
		Errors            []string        `json:"errors"`
		SSHLocalPort      int             `json:"sshLocalPort"`
		PortForward       json.RawMessage `json:"portForward"`
		CloudInitProgress json.RawMessage `json:"cloudInitProgress"`
	} `json:"status"`
}

// take updates the state with an event. Events about a forwarded port or cloud-init
// leave out the other fields, which stay unchanged.
func (s *State) take(e event) {
	aside := e.Status.PortForward != nil || e.Status.CloudInitProgress != nil
	if e.Status.SSHLocalPort != 0 {
		s.SSHLocalPort = e.Status.SSHLocalPort
	}
	s.Exiting = s.Exiting || e.Status.Exiting
	s.Ready = (s.Ready || e.Status.Running) && !s.Exiting
	if !aside || e.Status.Degraded {
		s.Degraded, s.Errors = e.Status.Degraded, e.Status.Errors
	}
}

// Events reads the events of an instance's host agent as they are written. It is for
// one goroutine, and must be closed.
type Events struct {
	tail  tail
	state State
}

// Events returns a reader of the instance's events since its last start.
func (c *Client) Events(name string) *Events {
	return &Events{tail: tail{path: c.EventsFile(name)}}
}

// EventsFile returns the file with the events.
func (c *Client) EventsFile(name string) string { return filepath.Join(c.Dir(name), eventsFile) }

// State reads new events, and returns the state. Before the first event it is the zero
// value.
func (e *Events) State() (State, error) {
	again, err := e.tail.open()
	if again {
		e.state = State{}
	}
	if err != nil {
		return e.state, err
	}
	err = e.tail.read(func(text []byte) {
		var parsed event
		if json.Unmarshal(text, &parsed) == nil {
			e.state.take(parsed)
		}
	})
	return e.state, err
}

// Close closes the file.
func (e *Events) Close() { e.tail.close() }

const (
	// maxAdded bounds how much of a file's new part is read: its end. A host agent
	// writes an event for each forwarded port, and reports some facts only at its
	// start: the limit is for files that are not a host agent's.
	maxAdded = 64 << 20
	// maxLine is the maximum length of a line: longer ones are skipped.
	maxLine = 64 << 10
	// maxEnd is how much of the end of a log is searched for why a machine stopped.
	maxEnd = 1 << 20
)

// tail reads a file that is appended to, and replaced at times. It keeps the file open,
// so that a new file has another inode.
type tail struct {
	path string

	file   *os.File // nil for none
	offset int64
	rest   []byte // an incomplete line
	// skipping is whether the line at offset is too long and skipped.
	skipping bool
}

func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
	t.file, t.offset, t.rest, t.skipping = nil, 0, nil, false
}

// open opens the file if it was replaced, and reports whether it was. A missing file is
// not an error.
func (t *tail) open() (again bool, err error) {
	named, err := os.Stat(t.path)
	if t.file != nil {
		if held, heldErr := t.file.Stat(); err == nil && heldErr == nil && os.SameFile(held, named) && named.Size() >= t.offset {
			return false, nil
		}
		t.close()
		again = true
	}
	if err == nil {
		t.file, err = regular.Open(t.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return again, nil
	}
	return true, err
}

// read passes on the new complete lines. Call open first.
func (t *tail) read(take func(text []byte)) error {
	if t.file == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if begin := info.Size() - maxAdded; begin > t.offset {
		t.offset, t.rest, t.skipping = begin, nil, true
	}
	added := io.NewSectionReader(t.file, t.offset, info.Size()-t.offset)
	buffer := make([]byte, 32<<10)
	for {
		n, err := added.Read(buffer)
		t.offset += int64(n)
		t.feed(buffer[:n], take)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// feed adds data, and passes on the lines that it completes.
func (t *tail) feed(data []byte, take func(text []byte)) {
	for part := range bytes.Lines(data) {
		whole := bytes.HasSuffix(part, []byte("\n"))
		switch {
		case t.skipping:
			t.skipping = !whole
		case len(t.rest)+len(part) > maxLine:
			t.rest, t.skipping = nil, !whole
		default:
			if t.rest = append(t.rest, part...); whole {
				take(t.rest)
				t.rest = t.rest[:0]
			}
		}
	}
}

// Stage is the progress of a boot.
type Stage struct {
	// Percent is a rough guess, from 0 to 100.
	Percent int32
	// Message is the host agent's.
	Message string
}

// Boot reads the progress of an instance's boot. It is for one goroutine, and must be
// closed.
type Boot struct {
	tail  tail
	stage Stage
}

// Boot returns a reader of the instance's boot.
func (c *Client) Boot(name string) *Boot {
	return &Boot{tail: tail{path: filepath.Join(c.Dir(name), bootLogFile)}}
}

// stages are the messages of a host agent during a boot, in order, with the percentage
// of the boot that is complete.
func stages() []Stage {
	return []Stage{
		{5, "Starting QEMU"},
		{10, "Waiting for the essential requirement 1 of"},
		{50, "The essential requirement 1 of"},
		{60, "The essential requirement 2 of"},
		{65, "The essential requirement 3 of"},
		{75, "Guest agent is running"},
		{80, "Waiting for the final requirement 1 of"},
		{95, "The final requirement 1 of"},
		{100, "READY."},
	}
}

// Close closes the file.
func (b *Boot) Close() { b.tail.close() }

// Stage reads new messages, and returns the progress.
func (b *Boot) Stage() Stage {
	again, err := b.tail.open()
	if again {
		b.stage = Stage{}
	}
	if err != nil {
		return b.stage
	}
	_ = b.tail.read(func(text []byte) { // an unreadable line has no stage
		var entry line
		if json.Unmarshal(text, &entry) != nil || entry.Level == "debug" {
			return
		}
		for _, stage := range stages() {
			if strings.HasPrefix(entry.Msg, stage.Message) && stage.Percent > b.stage.Percent {
				b.stage = Stage{stage.Percent, entry.Msg}
			}
		}
	})
	return b.stage
}

// stderrMark is the prefix of QEMU's own output in the host agent's log.
const stderrMark = "qemu[stderr]: "

// readEnd returns the end of a file, of at most limit bytes: complete lines, if that is
// not the whole file.
func readEnd(path string, limit int64) ([]byte, error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	begin := max(0, info.Size()-limit)
	data, err := io.ReadAll(io.NewSectionReader(file, begin, limit))
	if begin > 0 {
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return data, err
}

// WhyEnded returns why the virtual machine of an instance stopped, from the host
// agent's log; empty if the log has no reason.
func (c *Client) WhyEnded(name string) string {
	log, err := readEnd(filepath.Join(c.Dir(name), bootLogFile), maxEnd)
	if err != nil {
		return ""
	}
	var printed, stopped, failed string
	for text := range bytes.Lines(log) {
		var entry line
		if json.Unmarshal(text, &entry) != nil {
			continue
		}
		if words, ok := strings.CutPrefix(entry.Msg, stderrMark); ok && printed == "" {
			printed = words // the first one causes the others
		}
		switch {
		case strings.HasPrefix(entry.Msg, "Driver stopped due to error"):
			stopped = entry.Msg
		case entry.Level == "fatal" || entry.Level == "error":
			failed = entry.Msg
		}
	}
	var why []string
	for _, words := range []string{stopped, printed, failed} {
		if words != "" {
			why = append(why, strings.TrimSpace(words))
		}
	}
	return strings.Join(why, "; ")
}

// Ended returns an error with the reason why a virtual machine stopped, or otherwise if
// the log has none.
func (c *Client) Ended(name, otherwise string) error {
	why := c.WhyEnded(name)
	if why == "" {
		why = otherwise
	}
	return &Error{Kind: classify(why), Message: why}
}
