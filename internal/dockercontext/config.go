// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/atomicfile"
)

const (
	configName = "config.json"
	currentKey = "currentContext"

	// attempts is how often a file is read again that another program wrote
	// meanwhile.
	attempts = 10
)

// config is the client's configuration file, of which one value is read and
// changed. Everything else in it stays as it is, byte for byte.
type config struct {
	path string
	// changing is called before a change is written; nil for nothing.
	changing func()
}

// current returns the name of the current context, empty where none is set.
func (c config) current() (string, error) {
	data, err := c.read()
	if err != nil {
		return "", err
	}
	value, err := findCurrent(data)
	return value.text, c.explain(err)
}

func (c config) read() ([]byte, error) {
	data, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (c config) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read %s: %w", c.path, err)
}

// swap makes to the current context where it is from, and reports whether it
// did. Empty names stand for none. What another program writes at the same time
// is not lost, but for what it writes in the very moment: where the file has
// changed it is looked at again. The client itself does not lock it.
func (c config) swap(from, to string) (bool, error) {
	for range attempts {
		before, err := c.read()
		if err != nil {
			return false, err
		}
		value, err := findCurrent(before)
		if err != nil {
			return false, c.explain(err)
		}
		if value.text != from {
			return false, nil
		}
		if from == to {
			return true, nil
		}
		after := value.replaced(before, to)
		if c.changing != nil {
			c.changing()
		}
		if now, err := c.read(); err != nil || !bytes.Equal(now, before) {
			continue
		}
		return true, c.write(after)
	}
	return false, fmt.Errorf("change %s: other programs go on writing it", c.path)
}

// write replaces the file that the name leads to, and keeps its mode.
func (c config) write(data []byte) error {
	path, mode := c.path, os.FileMode(0o600)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		if mode&0o200 == 0 {
			return fmt.Errorf("change %s: %w: it is read-only", c.path, fs.ErrPermission)
		}
	}
	return atomicfile.Write(path, data, mode)
}

// currentValue is where in a configuration the current context stands.
type currentValue struct {
	text       string
	start, end int // of the member: its key, its value, and the comma that goes with it
	open       int // behind the brace that opens the configuration
	others     bool
	found      bool
}

// findCurrent finds the current context in a configuration. An empty one is one
// with no members.
func findCurrent(data []byte) (currentValue, error) {
	var value currentValue
	if len(bytes.TrimSpace(data)) == 0 {
		return value, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil {
		return value, err
	} else if token != json.Delim('{') {
		return value, errors.New("it is no JSON object")
	}
	value.open = int(decoder.InputOffset())
	for {
		before := int(decoder.InputOffset()) // More goes on to what follows
		if !decoder.More() {
			break
		}
		key, err := decoder.Token()
		if err != nil {
			return value, err
		}
		if key != currentKey {
			value.others = true
			var other json.RawMessage
			if err := decoder.Decode(&other); err != nil {
				return value, err
			}
			continue
		}
		if err := decoder.Decode(&value.text); err != nil {
			return value, fmt.Errorf("%s: %w", currentKey, err)
		}
		value.found, value.start, value.end = true, before, int(decoder.InputOffset())
	}
	if _, err := decoder.Token(); err != nil {
		return value, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return value, errors.New("something follows the JSON object")
	}
	if value.found {
		value.takeComma(data)
	}
	return value, nil
}

// takeComma makes the member end with the comma behind it, if there is no comma
// before it.
func (v *currentValue) takeComma(data []byte) {
	if bytes.HasPrefix(bytes.TrimLeft(data[v.start:], " \t\r\n"), []byte(",")) {
		return // the one before belongs to it
	}
	rest := bytes.TrimLeft(data[v.end:], " \t\r\n")
	if bytes.HasPrefix(rest, []byte(",")) {
		v.end = len(data) - len(rest) + 1
	}
}

// replaced returns the configuration with another current context, empty for
// none.
func (v *currentValue) replaced(data []byte, to string) []byte {
	if len(bytes.TrimSpace(data)) == 0 {
		if to == "" {
			return data
		}
		return []byte("{\n" + member(to) + "\n}\n")
	}
	rest := data
	if v.found {
		rest = append(bytes.Clone(data[:v.start]), data[v.end:]...)
	}
	if to == "" {
		return rest
	}
	out := append(bytes.Clone(rest[:v.open]), "\n"+member(to)...)
	if v.others {
		out = append(out, ',')
	} else {
		out = append(out, '\n')
	}
	return append(out, rest[v.open:]...)
}

func member(name string) string {
	text, _ := json.Marshal(name) // of a string, which never fails
	return "\t\"" + currentKey + "\": " + string(text)
}
