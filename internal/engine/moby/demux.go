// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// frameHeader is the size of a frame's header: the stream, three zeros, and the
	// length of the frame (https://docs.docker.com/reference/api/engine/, "Attach to
	// a container").
	frameHeader = 8
	// copyBuffer is what is held of a frame, however large that is.
	copyBuffer = 32 << 10
	// maxEngineError is how much is read of an error that an engine puts into a
	// stream.
	maxEngineError = 4 << 10
)

// Streams of a frame.
const (
	frameStdin = iota // written to standard output
	frameStdout
	frameStderr
	frameError // of the engine itself
)

// demultiplex copies the frames of a container's streams to where they belong,
// until the end of from. Docker's own decoder holds a whole frame in memory, of
// which the header may say that it has 4 GiB.
func demultiplex(stdout, stderr io.Writer, from io.Reader) error {
	var header [frameHeader]byte
	buffer := make([]byte, copyBuffer)
	for {
		if _, err := io.ReadFull(from, header[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the header of a frame: %w", err)
		}
		size := int64(binary.BigEndian.Uint32(header[4:]))
		if header[1]|header[2]|header[3] != 0 {
			return fmt.Errorf("the header of a frame is invalid: % x", header)
		}
		to := stdout
		switch header[0] {
		case frameStdin, frameStdout:
		case frameStderr:
			to = stderr
		case frameError:
			text, err := io.ReadAll(io.LimitReader(from, min(size, maxEngineError)))
			return errors.Join(fmt.Errorf("the engine reports: %s", text), err)
		default:
			return fmt.Errorf("the header of a frame is invalid: % x", header)
		}
		n, err := io.CopyBuffer(onlyWriter{to}, io.LimitReader(from, size), buffer)
		if err == nil && n < size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("copy a frame of %d bytes: %w", size, err)
		}
		if ender, ok := to.(frameEnder); ok {
			if err := ender.endFrame(size); err != nil {
				return err
			}
		}
	}
}

// frameEnder is a writer whose endFrame is called at the end of each frame.
type frameEnder interface {
	endFrame(size int64) error
}

// onlyWriter hides that a writer may read by itself, with a buffer of its own.
type onlyWriter struct{ io.Writer }
