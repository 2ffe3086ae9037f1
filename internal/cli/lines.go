// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"regexp"
	"time"
)

const (
	// linePause is how long after a line another one waits that differs from it in its
	// numbers only; twice as long after each further one.
	linePause = 10 * time.Second

	// maxShapes is of how many different lines that is noted. All further ones are taken
	// for one.
	maxShapes = 20
)

// lines decides which lines about a wait a pipe or a file gets: each once, though the
// wait may go to and fro between two states for hours, and of those that count
// something ever fewer.
type lines struct {
	seen   map[string]bool
	shapes map[string]*shape
}

// shape is of lines that differ in their numbers only.
type shape struct {
	next  time.Time // when another one may be printed
	pause time.Duration
}

var numbers = regexp.MustCompile(`[0-9]+`)

// news reports whether a line is to be printed.
func (l *lines) news(line string, now time.Time) bool {
	if l.seen == nil {
		l.seen, l.shapes = map[string]bool{}, map[string]*shape{}
	}
	if l.seen[line] {
		return false
	}
	name := numbers.ReplaceAllString(line, "#")
	if l.shapes[name] == nil && len(l.shapes) >= maxShapes {
		name = "" // of all others
	}
	known := l.shapes[name]
	switch {
	case known == nil:
		known = &shape{pause: linePause}
		l.shapes[name] = known
	case now.Before(known.next):
		return false
	default:
		known.pause *= 2
	}
	known.next = now.Add(known.pause)
	l.seen[line] = true
	return true
}
