// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"regexp"
	"time"
)

const (
	// linePause is the pause after a line until a line that differs only in its numbers
	// may follow. It doubles with each such line.
	linePause = 10 * time.Second

	// maxShapes bounds the remembered shapes. All further lines share one.
	maxShapes = 20
)

// lines decides which progress lines to write to a pipe or a file: each line once, even
// if a wait alternates between two states for hours, and ever fewer of the lines that
// count.
type lines struct {
	printed map[string]bool
	shapes  map[string]*shape
}

// shape is the common state of lines that differ only in their numbers.
type shape struct {
	next  time.Time // when the next line may be printed
	pause time.Duration
}

var numbers = regexp.MustCompile(`[0-9]+`)

// admit reports whether to print a line, and if so, records it as printed.
func (l *lines) admit(line string, now time.Time) bool {
	if l.printed == nil {
		l.printed, l.shapes = map[string]bool{}, map[string]*shape{}
	}
	if l.printed[line] {
		return false
	}
	name := numbers.ReplaceAllString(line, "#")
	if l.shapes[name] == nil && len(l.shapes) >= maxShapes {
		name = "" // shared by all others
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
	l.printed[line] = true
	return true
}
