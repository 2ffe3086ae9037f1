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
	// looks is how often a file is read that makes no sense.
	looks = 10
	// halfWritten is the wait for another program to end its writing: some empty
	// the file first.
	halfWritten = 10 * time.Millisecond
)

// errChanged says that another program was faster.
var errChanged = errors.New("other programs go on writing it")

// config is the client's configuration file, of which one value is read and
// changed. Everything else in it stays as it is, byte for byte.
type config struct {
	path string
	// looked and ready are called in a change: when the file was read, and when
	// the new one is about to take its place. nil for nothing.
	looked, ready func()
}

// maxFile is the largest of Docker's files that is read, in bytes: more is no
// configuration that a person has.
const maxFile = 4 << 20

// current returns the name of the current context as it is written, empty where
// none is.
func (c config) current() (string, error) {
	_, value, err := c.read()
	return value.text, err
}

// read returns the file, nil where there is none, and what it says.
func (c config) read() (data []byte, value currentValue, err error) {
	for range looks {
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

// swap makes to the current context where it is from, and reports whether it
// did. Empty names stand for none. The client does not lock its file: where
// another program has written it since, it is looked at again.
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
		call(c.looked)
		err = replaceFile(c.path, before, value.replaced(before, to), c.ready)
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

// currentValue is where in a configuration the current context stands.
type currentValue struct {
	text       string
	value      int // where the value begins, which goes to end
	start, end int // of the member: its key, its value, and the comma that goes with it
	open       int // behind the brace that opens the configuration
	others     bool
	found      bool
}

// findCurrent finds the current context in a configuration. An empty one is one
// with no members.
func findCurrent(data []byte) (currentValue, error) {
	var found currentValue
	if len(bytes.TrimSpace(data)) == 0 {
		return found, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil {
		return found, err
	} else if token != json.Delim('{') {
		return found, errors.New("it is no JSON object")
	}
	found.open = int(decoder.InputOffset())
	for {
		before := int(decoder.InputOffset()) // More goes on to what follows
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
		return found, errors.New("something follows the JSON object")
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
	// The client does not tell upper case from lower case here.
	name, _ := key.(string)
	if !strings.EqualFold(name, currentKey) {
		v.others = true
		return nil
	}
	if v.found {
		return fmt.Errorf("%s is there twice", currentKey)
	}
	if err := json.Unmarshal(value, &v.text); err != nil {
		return fmt.Errorf("%s: %w", currentKey, err)
	}
	v.found, v.start, v.end = true, start, int(decoder.InputOffset())
	v.value = v.end - len(value)
	return nil
}

// replaced returns the configuration with another current context, empty for
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

// span returns where the member is, with the one comma that goes with it.
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
	data, _ := json.Marshal(text) // of a string, which never fails
	return string(data)
}
