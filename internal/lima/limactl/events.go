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

// State is what a host agent says of its instance.
type State struct {
	// Ready says that the instance has booted.
	Ready bool
	// Degraded says that it runs, though not all of it does; Errors say what.
	Degraded bool
	Errors   []string
	// Exiting says that the host agent is about to end.
	Exiting bool
	// SSHLocalPort is the port of the guest's SSH server on 127.0.0.1; 0 before
	// it is known.
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

// take changes the state by an event. Those that tell of a forwarded port, or of
// cloud-init, say nothing else: what they leave out is as it was.
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

// Events reads what the host agent of an instance says, as it says it. It is for
// one goroutine, and must be closed.
type Events struct {
	tail  tail
	state State
}

// Events returns a reader of the instance's events since its last start.
func (c *Client) Events(name string) *Events {
	return &Events{tail: tail{path: c.EventsFile(name)}}
}

// EventsFile returns the file that the events are in.
func (c *Client) EventsFile(name string) string { return filepath.Join(c.Dir(name), eventsFile) }

// State reads what is new, and returns the state. Before a host agent says
// anything, that is the zero one.
func (e *Events) State() (State, error) {
	again, err := e.tail.open()
	if again {
		e.state = State{}
	}
	if err != nil {
		return e.state, err
	}
	err = e.tail.read(func(text []byte) {
		var said event
		if json.Unmarshal(text, &said) == nil {
			e.state.take(said)
		}
	})
	return e.state, err
}

// Close ends the reading.
func (e *Events) Close() { e.tail.close() }

const (
	// maxNews is how much of what is new in a file is read: the end of it. A host
	// agent has an event for each port that it forwards, and says at its start what
	// it does not repeat: the limit is for a file that is none of its.
	maxNews = 64 << 20
	// maxLine is how long a line may be: of longer ones nothing is kept.
	maxLine = 64 << 10
	// maxEnd is how much of the end of a log is searched for why a machine has ended.
	maxEnd = 1 << 20
)

// tail reads a file to which lines are added, and which is made anew at times. It
// keeps the file open, so that no other gets its number.
type tail struct {
	path string

	file   *os.File // nil for none
	offset int64
	rest   []byte // of a line that is not whole yet
	// skipping says that the line that goes on at offset is not read.
	skipping bool
}

func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
	t.file, t.offset, t.rest, t.skipping = nil, 0, nil, false
}

// open opens the file where it is another than before, and reports whether it is.
// That there is none is no error.
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

// read hands over the whole lines that are new. open comes before.
func (t *tail) read(take func(text []byte)) error {
	if t.file == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if begin := info.Size() - maxNews; begin > t.offset {
		t.offset, t.rest, t.skipping = begin, nil, true
	}
	news := io.NewSectionReader(t.file, t.offset, info.Size()-t.offset)
	buffer := make([]byte, 32<<10)
	for {
		n, err := news.Read(buffer)
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

// feed takes what follows, and hands over the lines that are whole with it.
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

// Stage is how far a boot is.
type Stage struct {
	// Percent is a rough guess, from 0 to 100.
	Percent int32
	// Message is what the host agent says.
	Message string
}

// Boot reads how far the boot of an instance is. It is for one goroutine, and must
// be closed.
type Boot struct {
	tail  tail
	stage Stage
}

// Boot returns a reader of the instance's boot.
func (c *Client) Boot(name string) *Boot {
	return &Boot{tail: tail{path: filepath.Join(c.Dir(name), bootLogFile)}}
}

// stages are what a host agent says during a boot, in order, and about how much
// of the boot is over then.
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

// Close ends the reading.
func (b *Boot) Close() { b.tail.close() }

// Stage reads what is new, and returns how far the boot is.
func (b *Boot) Stage() Stage {
	again, err := b.tail.open()
	if again {
		b.stage = Stage{}
	}
	if err != nil {
		return b.stage
	}
	_ = b.tail.read(func(text []byte) { // what can't be read has no stage
		var said line
		if json.Unmarshal(text, &said) != nil || said.Level == "debug" {
			return
		}
		for _, stage := range stages() {
			if strings.HasPrefix(said.Msg, stage.Message) && stage.Percent > b.stage.Percent {
				b.stage = Stage{stage.Percent, said.Msg}
			}
		}
	})
	return b.stage
}

// stderrMark begins what QEMU printed itself, in the host agent's log.
const stderrMark = "qemu[stderr]: "

// readEnd returns the end of a file, of at most limit bytes: whole lines where that
// is not all of it.
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

// WhyEnded returns why the virtual machine of an instance has ended, by the host
// agent's log; empty where that does not say.
func (c *Client) WhyEnded(name string) string {
	log, err := readEnd(filepath.Join(c.Dir(name), bootLogFile), maxEnd)
	if err != nil {
		return ""
	}
	var printed, stopped, failed string
	for text := range bytes.Lines(log) {
		var said line
		if json.Unmarshal(text, &said) != nil {
			continue
		}
		if words, ok := strings.CutPrefix(said.Msg, stderrMark); ok && printed == "" {
			printed = words // the first is the cause of the others
		}
		switch {
		case strings.HasPrefix(said.Msg, "Driver stopped due to error"):
			stopped = said.Msg
		case said.Level == "fatal" || said.Level == "error":
			failed = said.Msg
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

// Ended returns an error that says why a virtual machine has ended, or what is
// known otherwise.
func (c *Client) Ended(name, otherwise string) error {
	why := c.WhyEnded(name)
	if why == "" {
		why = otherwise
	}
	return &Error{Kind: classify(why), Message: why}
}
