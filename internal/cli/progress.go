// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	clearLine = "\r\x1b[K"

	// progressTick is how often the elapsed time is redrawn.
	progressTick = time.Second

	// A bar is 1/barShare of the terminal wide, and at most barMax columns. If that
	// is less than barMin, no bar is drawn.
	barShare = 6
	barMax   = 20
	barMin   = 8
)

// progress shows the progress of a wait: on a terminal in one line that changes, with
// the elapsed time and, if the percentage is known, a bar; else in a line for each
// change of the message.
type progress struct {
	w io.Writer
	// width returns the columns of the terminal; nil if w is not a terminal.
	width func() int
	clock clock.WithTicker

	mu      sync.Mutex
	printed lines     // guarded by mu; used if w is not a terminal
	last    string    // guarded by mu; empty if nothing is shown
	percent *int32    // guarded by mu; nil if unknown
	began   time.Time // guarded by mu
	stop    chan struct{}
	ticking sync.WaitGroup
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, clock: clock.RealClock{}}
	file, ok := w.(*os.File)
	if ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		p.width = func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
	}
	return p
}

// update shows a new message.
func (p *progress) update(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	message = printable.Text(strings.Join(strings.Fields(message), " "), 0) // one line
	if message == p.last {
		return
	}
	if p.width == nil {
		p.last = message
		if p.printed.admit(message, p.clock.Now()) {
			_, _ = fmt.Fprintln(p.w, message)
		}
		return
	}
	if p.last == "" {
		p.began, p.stop = p.clock.Now(), make(chan struct{})
		ticker, stop := p.clock.NewTicker(progressTick), p.stop
		p.ticking.Go(func() { p.tick(ticker, stop) })
	}
	p.last = message
	p.drawLocked()
}

// setPercent shows how much is done, in percent; nil if that is unknown.
func (p *progress) setPercent(percent *int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ptr.Equal(p.percent, percent) {
		return
	}
	p.percent = percent
	if p.width != nil && p.last != "" {
		p.drawLocked()
	}
}

// tick redraws the elapsed time until stop is closed.
func (p *progress) tick(ticker clock.Ticker, stop <-chan struct{}) {
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C():
			p.mu.Lock()
			if p.last != "" {
				p.drawLocked()
			}
			p.mu.Unlock()
		}
	}
}

// drawLocked draws the line. It cuts a line that the terminal would wrap, because
// clearLine could not clear that.
func (p *progress) drawLocked() {
	end := " …"
	if passed := p.clock.Since(p.began).Truncate(time.Second); passed > 0 {
		end = fmt.Sprintf(" … %s", passed)
	}
	if columns := min(p.width()/barShare, barMax); p.percent != nil && columns >= barMin {
		end = " " + bar(*p.percent, columns) + end
	}
	line, room := []rune(p.last), p.width()-1-len([]rune(end))
	if len(line) > room {
		line = line[:max(room, 0)]
	}
	_, _ = fmt.Fprintf(p.w, "%s%s%s", clearLine, string(line), end)
}

// bar draws a progress bar with that many columns between its ends.
func bar(percent int32, columns int) string {
	full := int(min(max(percent, 0), 100)) * columns / 100
	return fmt.Sprintf("[%s%s] %d %%", strings.Repeat("#", full), strings.Repeat("-", columns-full), percent)
}

// done clears the changing line, so that other output can follow.
func (p *progress) done() {
	p.mu.Lock()
	stop := p.stop
	if p.width != nil && p.last != "" {
		_, _ = fmt.Fprint(p.w, clearLine)
	}
	p.last, p.percent, p.stop = "", nil, nil
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		p.ticking.Wait()
	}
}
