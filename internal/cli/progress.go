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

	// progressTick is how often the time that has passed is shown anew.
	progressTick = time.Second

	// barShare is the part of the terminal's columns that a bar has between its
	// ends, barMax how many these are at most, and barMin at least: on a narrower
	// one there is none.
	barShare = 6
	barMax   = 20
	barMin   = 8
)

// progress shows what is being waited for: on a terminal one line that changes,
// with a bar where it is known how much is over, and the seconds since the wait
// began; else a line for each change of the words.
type progress struct {
	w io.Writer
	// width returns the columns of the terminal; nil where w is none.
	width func() int
	clock clock.WithTicker

	mu      sync.Mutex
	printed lines     // guarded by mu; to what is no terminal
	last    string    // guarded by mu; empty where nothing is shown
	percent *int32    // guarded by mu; that is over; nil if that is unknown
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

// update shows what is being waited for from now on.
func (p *progress) update(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	message = printable.Text(strings.Join(strings.Fields(message), " "), 0) // one line
	if message == p.last {
		return
	}
	if p.width == nil {
		p.last = message
		if p.printed.news(message, p.clock.Now()) {
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

// over shows how much is over, in percent; nil if that is unknown.
func (p *progress) over(percent *int32) {
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

// tick shows the time that has passed until stop is closed.
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

// drawLocked draws the line. One that the terminal would break could not be
// cleared again.
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

// bar draws how much is over in so many columns between its ends.
func bar(percent int32, columns int) string {
	full := int(min(max(percent, 0), 100)) * columns / 100
	return fmt.Sprintf("[%s%s] %d %%", strings.Repeat("#", full), strings.Repeat("-", columns-full), percent)
}

// done takes the changing line away. What is said from then on stays.
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
