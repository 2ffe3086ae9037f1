// SPDX-License-Identifier: Apache-2.0

// Package diskroom finds out whether something failed for want of room on a file
// system, whatever it was that noticed first, and says which one and what to do.
package diskroom

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	// neededMB is what an instance without a virtual machine takes: its store with the
	// write-ahead log, its logs, its keys, and what kubectl keeps.
	neededMB = 40

	// probeSize is what a file system must have room for, in bytes, to be taken for one
	// that is not full.
	probeSize = 64 << 10
)

// fullWords are those of the systems, of SQLite and of file systems with quotas.
var fullWords = []string{
	"no space left on device", "database or disk is full", "disk quota exceeded",
	"There is not enough space on the disk", "not enough space on disk", "No space left",
}

// unclearWords are SQLite's for what may be want of room.
var unclearWords = []string{"disk I/O error", "unable to open database file"}

// FullError says that a file system is full.
type FullError struct {
	Dir string
	// Reason is what failed for that; empty for what is not known.
	Reason string
}

// Error names the directory and what it takes.
func (e *FullError) Error() string {
	text := fmt.Sprintf("no space left on %s: RDD needs about %d MB there", e.Dir, neededMB)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Explain returns a [*FullError] for errors that are for want of room on one of the
// directories, which are looked at in turn, and any other error as it is. The kind of
// err, such as that of a deadline, does not survive: it is a consequence.
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
		return &FullError{Dir: dirs[0], Reason: text} // there is some again, or less than was wanted
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

// Find returns the first of the directories on whose file system there is no room;
// empty for none, or if that can't be told.
func Find(dirs ...string) string {
	for _, dir := range dirs {
		if err := probe(dir); err != nil && has(err.Error(), fullWords) {
			return dir
		}
	}
	return ""
}

// probe writes a little, and removes it.
func probe(dir string) error {
	file, err := os.CreateTemp(dir, ".room-*")
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeSize))
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}
