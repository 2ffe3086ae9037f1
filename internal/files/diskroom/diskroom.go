// SPDX-License-Identifier: Apache-2.0

// Package diskroom detects errors that a full file system causes, and explains which
// file system it is and what to do.
package diskroom

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	// neededMB is the size of an instance without a virtual machine: its store with the
	// write-ahead log, its logs, its keys, and kubectl's cache.
	neededMB = 40

	// probeSize is the number of bytes that must be writable for a file system not to
	// count as full.
	probeSize = 64 << 10
)

// fullWords are the messages of operating systems, of SQLite, and of file systems with
// quotas.
var fullWords = []string{
	"no space left on device", "database or disk is full", "disk quota exceeded",
	"There is not enough space on the disk", "not enough space on disk", "No space left",
}

// unclearWords are SQLite's messages for what may be a full file system.
var unclearWords = []string{"disk I/O error", "unable to open database file"}

// FullError is the error if a file system is full.
type FullError struct {
	Dir string
	// Reason is the error that it caused; empty if unknown.
	Reason string
}

// Error names the directory and the required space.
func (e *FullError) Error() string {
	text := fmt.Sprintf("no space left on %s: RDD needs about %d MB", e.Dir, neededMB)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Explain returns a [*FullError] if a full file system of one of the directories, which
// are checked in order, caused the error, and other errors unchanged. The kind of err,
// such as a deadline, is dropped, because it is a consequence.
func Explain(err error, dirs ...string) error {
	var full *FullError
	if err == nil || errors.As(err, &full) {
		return err
	}
	text := err.Error()
	certain := has(text, fullWords)
	if !certain && !has(text, unclearWords) {
		return err
	}
	if dir := Find(dirs...); dir != "" {
		return &FullError{Dir: dir, Reason: text}
	}
	if certain && len(dirs) > 0 {
		return &FullError{Dir: dirs[0], Reason: text} // space is available again, or was too little
	}
	return err
}

func has(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// Find returns the first of the directories whose file system is full; empty if there
// is none, or if that is unknown.
func Find(dirs ...string) string {
	for _, dir := range dirs {
		if err := probe(dir); err != nil && has(err.Error(), fullWords) {
			return dir
		}
	}
	return ""
}

// probe writes a small file, and removes it.
func probe(dir string) error {
	file, err := os.CreateTemp(dir, ".room-*")
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeSize))
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}
