// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

const (
	tailBlock = 64 << 10
	// maxBack is how far back the beginnings of the last lines are looked for,
	// between which the other stream may have written.
	maxBack = 4 << 20
)

// backward reads the lines of a file from its end to its beginning.
type backward struct {
	file     *os.File
	position int64 // of rest
	rest     []byte
	cut      bool // the end of rest is not the end of a line that was too long to keep
}

// next returns a line with its newline, if it has one, and where it begins. A line
// longer than [limits.Line] has no text. The error is io.EOF at the beginning.
func (b *backward) next() (line []byte, at int64, err error) {
	b.cut = false
	for {
		if len(b.rest) > 0 {
			if i := bytes.LastIndexByte(b.rest[:len(b.rest)-1], '\n'); i >= 0 {
				line = b.rest[i+1:]
				b.rest = b.rest[:i+1]
				if b.cut {
					line = nil
				}
				return line, b.position + int64(i) + 1, nil
			}
		}
		if b.position == 0 {
			if len(b.rest) == 0 {
				return nil, 0, io.EOF
			}
			line, b.rest = b.rest, nil
			if b.cut {
				line = nil
			}
			return line, 0, nil
		}
		size := min(tailBlock, b.position)
		block := make([]byte, size, int(size)+len(b.rest))
		if _, err := b.file.ReadAt(block, b.position-size); err != nil {
			return nil, 0, err
		}
		if len(b.rest) > limits.Line {
			b.rest, b.cut = b.rest[:1], true
		}
		b.rest, b.position = append(block, b.rest...), b.position-size
	}
}

// seekEntries sets a file of entries to the beginning of the last lines, and
// returns where in it each stream's begin: a line may have several entries, with
// those of the other stream between them. A negative number is for all lines.
func seekEntries(file *os.File, lines int, parse func([]byte) (logEntry, bool)) (begins map[string]int64, err error) {
	if lines < 0 {
		return nil, nil
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	from := &backward{file: file, position: end}
	begins = map[string]int64{"stdout": end, "stderr": end}
	open, start := map[string]bool{}, end // open: the beginning of a line is still to come
	for left := lines; left > 0 || open["stdout"] || open["stderr"]; {
		line, at, err := from.next()
		if errors.Is(err, io.EOF) || left == 0 && start-at > maxBack {
			break
		}
		if err != nil {
			return nil, err
		}
		entry, ok := parse(line)
		if !ok {
			continue
		}
		if stream := entry.stream; !entry.partial || !open[stream] && begins[stream] == end { // the end of a line
			if open[stream] = left > 0; !open[stream] {
				continue
			}
			left--
			begins[stream], start = at, at
		} else if open[stream] {
			begins[stream], start = at, at
		}
	}
	_, err = file.Seek(min(begins["stdout"], begins["stderr"]), io.SeekStart)
	return begins, err
}
