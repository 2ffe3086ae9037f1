// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// List reads a JSON list entry by entry. It uses memory for one entry, beside those
// that the caller keeps.
type List struct {
	// What names the list in errors, as in "the engine's list of containers".
	What string
	// Size is the limit of the whole answer, in bytes.
	Size int64
	// Member is the member of the answer with the list; empty if the answer is the
	// list itself.
	Member string
	// Null is whether the member may be null, which engines send for an empty list.
	Null bool
}

// Read calls entry with the text of each entry, which the callee may keep. It fails
// unless the list is complete.
func (l List) Read(from io.Reader, entry func(json.RawMessage) error) error {
	reader := &entryReader{whole: NewReader(from, l.What, l.Size), what: l.What, left: Object}
	decoder := json.NewDecoder(reader)
	err := l.read(decoder, reader, entry)
	if err == nil {
		reader.renew()
		err = endOf(decoder)
	}
	switch {
	case err == nil, errors.Is(err, ErrTooLarge):
		return err
	case decoder.InputOffset() == 0 && errors.Is(err, io.EOF):
		return fmt.Errorf("%s is an empty answer", l.What)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s is incomplete: %w", l.What, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read %s: %w", l.What, err)
}

func (l List) read(decoder *json.Decoder, reader *entryReader, entry func(json.RawMessage) error) error {
	if l.Member == "" {
		return l.array(decoder, reader, entry)
	}
	if err := expect(decoder, '{'); err != nil {
		return err
	}
	found := false
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		if found || name != l.Member {
			reader.renew()
			var other json.RawMessage
			if err := decoder.Decode(&other); err != nil {
				return err
			}
			continue
		}
		found = true
		if err := l.array(decoder, reader, entry); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("it has no %s", l.Member)
	}
	return nil
}

func (l List) array(decoder *json.Decoder, reader *entryReader, entry func(json.RawMessage) error) error {
	token, err := decoder.Token()
	switch {
	case err != nil:
		return err
	case token == nil && l.Null:
		return nil
	case token != json.Delim('['):
		return errors.New("it is not a JSON array")
	}
	for n := 0; decoder.More(); n++ {
		if n == Entries {
			return fmt.Errorf("%s has more than %d entries: %w", l.What, Entries, ErrTooLarge)
		}
		reader.renew()
		var text json.RawMessage
		if err := decoder.Decode(&text); err != nil {
			return err
		}
		if err := entry(text); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}

func expect(decoder *json.Decoder, delimiter json.Delim) error {
	token, err := decoder.Token()
	if err == nil && token != delimiter {
		err = errors.New("it is not a JSON object")
	}
	return err
}

// entryReader bounds one entry of a list, beside the list.
type entryReader struct {
	whole *Reader
	what  string
	left  int // of the entry, without the bytes that the decoder read before
}

func (r *entryReader) renew() { r.left = Object }

// Read implements [io.Reader].
func (r *entryReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, TooLarge("an entry of "+r.what, Object)
	}
	n, err := r.whole.Read(p)
	r.left -= n
	return n, err
}

// Unmarshal decodes one object, unless it has more than [Members] values.
func Unmarshal(text []byte, into any) error {
	var s scanner
	for _, b := range text {
		s.next(b)
	}
	if s.members > Members {
		return fmt.Errorf("it has more than %d values: %w", Members, ErrTooLarge)
	}
	return json.Unmarshal(text, into)
}
