// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// Sizes in SQLite's write-ahead log (https://www.sqlite.org/fileformat2.html#walformat).
const (
	walHeader   = 32
	frameHeader = 24
)

// wal is what stands in a write-ahead log since it was begun anew.
type wal struct {
	salt     [8]byte // another one each time that the log begins anew
	pageSize int64
	pages    []uint32 // that were written, in the order of their frames
}

// readWAL reads the write-ahead log of a database, which may be in use. Of no log
// there is nothing.
func readWAL(database string) (*wal, error) {
	file, err := os.Open(database + "-wal")
	if errors.Is(err, os.ErrNotExist) {
		return &wal{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	header := make([]byte, walHeader)
	if _, err := io.ReadFull(file, header); errors.Is(err, io.EOF) {
		return &wal{}, nil
	} else if err != nil {
		return nil, err
	}
	w := &wal{pageSize: int64(binary.BigEndian.Uint32(header[8:]))}
	copy(w.salt[:], header[16:])
	frame := make([]byte, frameHeader)
	for at := int64(walHeader); ; at += frameHeader + w.pageSize {
		_, err := file.ReadAt(frame, at)
		if errors.Is(err, io.EOF) || err == nil && [8]byte(frame[8:16]) != w.salt { // an older frame
			return w, nil
		}
		if err != nil {
			return nil, err
		}
		w.pages = append(w.pages, binary.BigEndian.Uint32(frame))
	}
}

// since returns what was written after an earlier look: bytes to the log, and
// bytes that a checkpoint of just that writes to the database's file, which takes
// the last of each page. ok is false where the log began anew in between.
func (w *wal) since(before *wal) (log, file int64, ok bool) {
	if w.salt != before.salt || len(w.pages) < len(before.pages) {
		return 0, 0, false
	}
	distinct := map[uint32]struct{}{}
	frames := w.pages[len(before.pages):]
	for _, page := range frames {
		distinct[page] = struct{}{}
	}
	return int64(len(frames)) * (frameHeader + w.pageSize), int64(len(distinct)) * w.pageSize, true
}
