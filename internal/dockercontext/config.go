// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const (
	configName = "config.json"
	currentKey = "currentContext"

	// attempts is how often a change is tried while another program writes. Each
	// takes a millisecond or two.
	attempts = 100
	// reads is how often an invalid file is read.
	reads = 10
	// halfWritten is the wait for another program to finish its write: some truncate
	// the file first.
	halfWritten = 10 * time.Millisecond
)

// errChanged is the error of a change if another program wrote the file first.
var errChanged = errors.New("other programs keep writing it")

// config is the client's configuration file, of which one value is read and
// changed. The rest of it stays the same, byte for byte.
type config struct {
	path string
	// onRead and onReady are called in a change: after the file was read, and before
	// the new one replaces it. nil for nothing.
	onRead, onReady func()
}

// maxFile bounds the size of Docker's files, in bytes: no real configuration is
// larger.
const maxFile = 4 << 20

// current returns the name of the current context as it is written; empty if there
// is none.
func (c config) current() (string, error) {
	_, value, err := c.read()
	return value.text, err
}

// read returns the content of the file, nil if it does not exist, and the current
// context in it.
func (c config) read() (data []byte, value currentValue, err error) {
	for range reads {
		data, err = regular.Read(c.path, maxFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, currentValue{}, nil
		}
		if err != nil {
			return nil, currentValue{}, owned.Explain(c.path, err)
		}
		value, err = findCurrent(data)
		if err == nil && len(data) > 0 {
			return data, value, nil
		}
		time.Sleep(halfWritten)
	}
	if err != nil {
		return nil, value, fault.New(fault.Failed, "read", c.path, err)
	}
	return data, value, nil
}

// swap replaces the current context from by to, and reports whether it was from.
// Empty names stand for none. The client does not lock its file: if another program
// wrote it since, swap reads it again.
func (c config) swap(from, to string) (bool, error) {
	var err error
	for range attempts {
		var before []byte
		var value currentValue
		if before, value, err = c.read(); err != nil {
			return false, err
		}
		if value.text != from {
			return false, nil
		}
		if from == to {
			return true, nil
		}
		call(c.onRead)
		err = replaceFile(c.path, before, value.replaced(before, to), c.onReady)
		if !errors.Is(err, errChanged) {
			break
		}
	}
	if err != nil {
		return false, fault.New(fault.Failed, "change", c.path, owned.Explain(c.path, err))
	}
	return true, nil
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// currentValue is the current context in a configuration, and its position.
type currentValue struct {
	text       string
	value      int // offset of the value, which ends at end
	start, end int // of the member: its key, its value, and its comma
	open       int // offset after the brace that opens the configuration
	others     bool
	found      bool
}

// findCurrent finds the current context in a configuration. An empty file is a
// configuration without members.
func findCurrent(data []byte) (currentValue, error) {
	var found currentValue
	if len(bytes.TrimSpace(data)) == 0 {
		return found, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil {
		return found, err
	} else if token != json.Delim('{') {
		return found, errors.New("it is not a JSON object")
	}
	found.open = int(decoder.InputOffset())
	for {
		before := int(decoder.InputOffset()) // More skips white space and commas
		if !decoder.More() {
			break
		}
		if err := found.takeMember(decoder, before); err != nil {
			return found, err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return found, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return found, errors.New("there is text after the JSON object")
	}
	return found, nil
}

// takeMember reads the next member, which begins at start or after white space.
func (v *currentValue) takeMember(decoder *json.Decoder, start int) error {
	key, err := decoder.Token()
	if err != nil {
		return err
	}
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	// The client ignores the case of keys.
	name, _ := key.(string)
	if !strings.EqualFold(name, currentKey) {
		v.others = true
		return nil
	}
	if v.found {
		return fmt.Errorf("duplicate key %s", currentKey)
	}
	if err := json.Unmarshal(value, &v.text); err != nil {
		return fmt.Errorf("%s: %w", currentKey, err)
	}
	v.found, v.start, v.end = true, start, int(decoder.InputOffset())
	v.value = v.end - len(value)
	return nil
}

// replaced returns the configuration with another current context; empty for
// none.
func (v currentValue) replaced(data []byte, to string) []byte {
	switch {
	case len(bytes.TrimSpace(data)) == 0 && to == "":
		return data
	case len(bytes.TrimSpace(data)) == 0:
		return []byte("{\n" + member(to) + "\n}\n")
	case to == "" && !v.found:
		return data
	case to == "":
		start, end := v.span(data)
		return append(bytes.Clone(data[:start]), data[end:]...)
	case v.found:
		return append(append(bytes.Clone(data[:v.value]), quoted(to)...), data[v.end:]...)
	}
	out := append(bytes.Clone(data[:v.open]), "\n"+member(to)...)
	if v.others {
		out = append(out, ',')
	} else {
		out = append(out, '\n')
	}
	return append(out, data[v.open:]...)
}

// span returns the offsets of the member with one comma.
func (v currentValue) span(data []byte) (start, end int) {
	if bytes.HasPrefix(bytes.TrimLeft(data[v.start:], " \t\r\n"), []byte(",")) {
		return v.start, v.end
	}
	rest := bytes.TrimLeft(data[v.end:], " \t\r\n")
	if bytes.HasPrefix(rest, []byte(",")) {
		return v.start, len(data) - len(rest) + 1
	}
	return v.start, v.end
}

func member(name string) string { return "\t" + quoted(currentKey) + ": " + quoted(name) }

func quoted(text string) string {
	data, _ := json.Marshal(text) // never fails for a string
	return string(data)
}
