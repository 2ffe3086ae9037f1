// SPDX-License-Identifier: Apache-2.0

// Package limits bounds the answers of a container engine: their size, their duration,
// and the memory of the decoded values. An engine may send anything, forever.
package limits

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Sizes in bytes, and numbers of entries.
const (
	// Small is for answers that have a few fields: a ping, the end of an exec.
	Small = 1 << 20
	// Failure is for the text of an error.
	Failure = 64 << 10
	// Header is for the headers of an answer. Docker's have some 500 bytes.
	Header = 64 << 10
	// Info is for the description of an engine: some 4 kB, and up to 1 MB with
	// hundreds of registries, plugins and labels.
	Info = 4 << 20
	// Object is for one object. A container that publishes all 65,535 ports on
	// IPv4 and IPv6 has some 10 MB.
	Object = 16 << 20
	// Containers is for the list of all containers: 20,000 with the labels of
	// Docker Compose and of a Kubernetes pod have some 60 MB.
	Containers = 64 << 20
	// Images, Volumes and Networks are for these lists: 20,000 have some 15 MB each.
	Images   = 32 << 20
	Volumes  = 32 << 20
	Networks = 32 << 20
	// Entries is for the number of objects in one list.
	Entries = 100_000
	// Message is for one event, or one line of a pull's progress. Both have some
	// 500 bytes; an event has all labels of its container.
	Message = 1 << 20
	// Members is for the number of values in one JSON document. A Go struct takes
	// a hundred times the memory of its two encoded characters. A container with all
	// ports published has some 600,000.
	Members = 1_000_000
	// Line is for one line of a log file. Logging drivers break lines at 16 kB,
	// but nerdctl keeps them whole.
	Line = 16 << 20
)

// Times.
const (
	// Stall is how long the peer may take to complete a message.
	Stall = 30 * time.Second
)

// ErrTooLarge is the error of an answer that exceeds a limit.
var ErrTooLarge = errors.New("exceeds RDD's limit")

// ErrStalled is the error of a message that was not completed in time.
var ErrStalled = errors.New("a message is incomplete")

// TooLarge returns the error of an answer that is larger than a size in bytes.
func TooLarge(what string, size int64) error {
	return fmt.Errorf("%s is larger than %s: %w", what, Bytes(size), ErrTooLarge)
}

// Bytes formats a number of bytes in the largest unit that fits.
func Bytes(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Reader reads at most a number of bytes, and fails at the next one. io.LimitReader
// would end as if all had been read.
type Reader struct {
	from io.Reader
	what string
	size int64
	left int64
}

// NewReader returns a Reader; what names the answer in the error.
func NewReader(from io.Reader, what string, size int64) *Reader {
	return &Reader{from: from, what: what, size: size, left: size}
}

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	// One byte more distinguishes a complete answer from a longer one.
	if int64(len(p)) > r.left+1 {
		p = p[:r.left+1]
	}
	n, err := r.from.Read(p)
	if int64(n) > r.left {
		n = int(r.left)
		r.left = 0
		return n, TooLarge(r.what, r.size)
	}
	r.left -= int64(n)
	return n, err
}

// Renew allows the whole size again.
func (r *Reader) Renew() { r.left = r.size }

// Budget bounds the entries of a list, and their bytes.
type Budget struct {
	what    string
	size    int64
	left    int64
	entries int
}

// NewBudget returns a Budget of [Entries] and a size; what names the list in errors.
func NewBudget(what string, size int64) *Budget {
	return &Budget{what: what, size: size, left: size, entries: Entries}
}

// Take adds one entry of a size, or fails if that exceeds the budget.
func (b *Budget) Take(size int64) error {
	if b.entries--; b.entries < 0 {
		return fmt.Errorf("%s has more than %d entries: %w", b.what, Entries, ErrTooLarge)
	}
	if b.left -= size; b.left < 0 {
		return TooLarge(b.what, b.size)
	}
	return nil
}
