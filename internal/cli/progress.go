// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// progress shows what is being waited for: on a terminal one line that
// changes, else a line for each change.
type progress struct {
	w        io.Writer
	terminal bool

	mu   sync.Mutex
	last string // guarded by mu
}

func newProgress(w io.Writer) *progress {
	file, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

const clearLine = "\r\x1b[K"

func (p *progress) update(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if message == p.last {
		return
	}
	p.last = message
	if p.terminal {
		_, _ = fmt.Fprintf(p.w, "%s%s …", clearLine, message)
		return
	}
	_, _ = fmt.Fprintln(p.w, message)
}

// done takes the changing line away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.last != "" {
		_, _ = fmt.Fprint(p.w, clearLine)
	}
	p.last = ""
}
