// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// scanner tracks the structure of JSON text, byte for byte. It does not validate the
// text: the decoder does.
type scanner struct {
	inString bool
	escaped  bool
	depth    int
	members  int // of the document so far
}

// next reads a byte, and reports whether it completes an object or an array at the top
// level.
func (s *scanner) next(b byte) bool {
	switch {
	case s.escaped:
		s.escaped = false
	case s.inString:
		s.escaped = b == '\\'
		s.inString = b != '"'
	case b == '"':
		s.inString = true
	case b == '{' || b == '[':
		s.depth++
		s.members++
	case b == ',':
		s.members++
	case b == '}' || b == ']':
		s.depth--
		return s.depth <= 0
	}
	return false
}

// Document reads one JSON document with a bounded size and at most [Members] values.
type Document struct {
	*Reader
	scanner scanner
}

// NewDocument returns a Document; what names the answer in errors.
func NewDocument(from io.Reader, what string, size int64) *Document {
	return &Document{Reader: NewReader(from, what, size)}
}

// Read implements [io.Reader].
func (d *Document) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	for _, b := range p[:n] {
		d.scanner.next(b)
	}
	if d.scanner.members > Members {
		return 0, fmt.Errorf("%s has more than %d values: %w", d.what, Members, ErrTooLarge)
	}
	return n, err
}

// Decode decodes a JSON document, which must be a complete object. The caller bounds
// from; what names the answer in errors.
func Decode(from io.Reader, what string, into any) error {
	decoder := json.NewDecoder(from)
	var text json.RawMessage
	err := decoder.Decode(&text)
	if err == nil && text[0] != '{' {
		return fmt.Errorf("%s is not a JSON object", what)
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err == nil {
		err = endOf(decoder)
	}
	switch {
	case err == nil, errors.Is(err, ErrTooLarge):
		return err
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s is empty", what)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s is incomplete: %w", what, err)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// endOf checks that only white space follows a document.
func endOf(decoder *json.Decoder) error {
	switch _, err := decoder.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("there is text after the object")
}

// maxSpace bounds the white space before a message: one newline each second for two
// years.
const maxSpace = 64 << 20

// Messages reads a stream of JSON objects. Each may have at most the size [Message],
// and must be complete within [Stall] after its beginning. Between two of them the
// peer may be silent forever.
type Messages struct {
	from   io.Reader
	what   string
	stall  time.Duration
	giveUp func(error)

	decoder *json.Decoder
	scanner scanner
	size    int64         // of the message that is being received
	space   int64         // before it
	waited  time.Duration // for it
	failure error
}

// NewMessages returns Messages. giveUp must unblock a Read of from; what names one
// message in errors.
func NewMessages(from io.Reader, what string, stall time.Duration, giveUp func(error)) *Messages {
	m := &Messages{from: from, what: what, stall: stall, giveUp: giveUp}
	m.decoder = json.NewDecoder(m)
	return m
}

// Next returns the next message, or [io.EOF] at the end of the stream. The caller
// decodes it: an invalid message does not affect others.
func (m *Messages) Next() (json.RawMessage, error) {
	var message json.RawMessage
	err := m.decoder.Decode(&message)
	if m.failure != nil {
		err = m.failure
	}
	return message, err
}

// Read implements [io.Reader] for the decoder.
func (m *Messages) Read(p []byte) (int, error) {
	for m.failure == nil {
		n, err := m.receive(p)
		if n = m.take(p[:n]); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, m.failure
}

// receive reads, and gives up a message that is not completed in time.
func (m *Messages) receive(p []byte) (int, error) {
	if m.size == 0 {
		return m.from.Read(p)
	}
	timer := time.AfterFunc(m.stall-m.waited, func() { m.giveUp(m.stalled()) })
	began := time.Now()
	n, err := m.from.Read(p)
	m.waited += time.Since(began)
	if !timer.Stop() {
		m.failure = m.stalled()
	}
	return n, err
}

func (m *Messages) stalled() error {
	return fmt.Errorf("%s was not completed within %s after its beginning: %w", m.what, m.stall, ErrStalled)
}

// take scans the bytes and removes the white space between messages, which the decoder
// would keep until the next message. It returns the number of remaining bytes.
func (m *Messages) take(p []byte) int {
	kept := p[:0]
	for _, b := range p {
		if m.size == 0 && isSpace(b) {
			if m.space++; m.space > maxSpace {
				m.failure = TooLarge("the space before "+m.what, maxSpace)
				return 0
			}
			continue
		}
		kept = append(kept, b)
		m.size++
		switch {
		case m.scanner.next(b):
			m.scanner, m.size, m.space, m.waited = scanner{}, 0, 0, 0
		case m.size > Message:
			m.failure = TooLarge(m.what, Message)
			return 0
		}
	}
	return len(kept)
}

// isSpace reports whether a byte is white space, or the separator of JSON text
// sequences (RFC 7464).
func isSpace(b byte) bool {
	return b == ' ' || b == '\n' || b == '\r' || b == '\t' || b == 0x1e
}
