// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
)

// screen is a terminal with one line, and everything written to it.
type screen struct {
	mu      sync.Mutex
	written bytes.Buffer
}

func (s *screen) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written.Write(data)
}

// line returns the visible line.
func (s *screen) line() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(s.written.String(), clearLine)
	return parts[len(parts)-1]
}

func newScreen(width int) (*screen, *progress, *clocktesting.FakeClock) {
	s, clock := &screen{}, clocktesting.NewFakeClock(time.Now())
	return s, &progress{w: s, width: func() int { return width }, clock: clock}, clock
}

func TestProgressOnATerminal(t *testing.T) {
	s, p, clock := newScreen(40)
	p.done() // before the first message
	p.update("waiting for the engine")
	if got, want := s.line(), "waiting for the engine …"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	see := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); s.line() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q, want %q", s.line(), want)
			}
		}
	}
	clock.Step(3 * time.Second)
	see("waiting for the engine … 3s")
	p.update("ConnectFailed:\nno such socket, whatever it is that was wanted there")
	see("ConnectFailed: no such socket, wha … 3s")
	if width := len([]rune(s.line())); width > 39 {
		t.Errorf("a line of %d columns on a terminal of 40", width)
	}
	clock.Step(time.Minute)
	see("ConnectFailed: no such socket, w … 1m3s")
	p.done()
	see("")
	clock.Step(time.Minute)
	see("")
	p.update("again")
	see("again …") // the time starts at zero
	p.done()
	if strings.Contains(s.written.String(), "\n") {
		t.Errorf("the line moved: %q", s.written.String())
	}
}

func TestProgressWithABar(t *testing.T) {
	s, p, _ := newScreen(60)
	p.setPercent(ptr.To[int32](10)) // before the first message
	if got := s.line(); got != "" {
		t.Errorf("%q is shown before the first message", got)
	}
	p.update("downloading a file with quite a long name, and more words")
	p.setPercent(ptr.To[int32](50))
	if got, want := s.line(), "downloading a file with quite a long na [#####-----] 50 % …"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.setPercent(nil)
	if got := s.line(); strings.Contains(got, "[") {
		t.Errorf("a bar is left: %q", got)
	}
	p.done()
}

func TestProgressOnANarrowTerminal(t *testing.T) {
	s, p, _ := newScreen(1)
	p.setPercent(ptr.To[int32](10))
	p.update("waiting")
	p.done()
	if got := s.line(); got != "" {
		t.Errorf("%q is left", got)
	}
}

func TestProgressInAPipe(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.update("one")
	p.setPercent(ptr.To[int32](1))
	p.update("one")
	p.setPercent(ptr.To[int32](2))
	p.update("two\n  lines")
	p.done()
	p.update("three")
	p.done()
	if got, want := out.String(), "one\ntwo lines\nthree\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLongWaitInAPipe: an hour of a wait that alternates between states, or that
// counts, prints few lines, and one for each state.
func TestLongWaitInAPipe(t *testing.T) {
	out, clock := &screen{}, clocktesting.NewFakeClock(time.Now())
	p := &progress{w: out, clock: clock}
	for i := range 3600 {
		p.update("ConnectFailed: no such socket")
		p.update("Connecting: to unix:///x")
		p.update(fmt.Sprintf("mirrored %d of 20000", i))
		p.update(fmt.Sprintf("cannot write config.json.%d", 1_000_000+i))
		if i%600 == 0 {
			p.done()
		}
		clock.Step(time.Second)
	}
	written := out.written.String()
	if strings.Count(written, "ConnectFailed") != 1 || strings.Count(written, "Connecting") != 1 {
		t.Errorf("not one line for each state:\n%s", written)
	}
	if count := strings.Count(written, "\n"); count < 6 || count > 22 {
		t.Errorf("%d lines:\n%s", count, written)
	}
	for i := range 1000 {
		p.update("another one " + strings.Repeat("x", i))
	}
	if count := strings.Count(out.written.String(), "\n"); count > 50 {
		t.Errorf("%d lines", count)
	}
}
