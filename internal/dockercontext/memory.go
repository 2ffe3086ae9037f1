// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const memoryMode = 0o600

// memory is what has to be taken back, in a file: a daemon that is killed leaves
// it to the next. It is written before what it speaks of is done.
type memory struct {
	// Dir is where the contexts are, and Name is ours among them.
	Dir  string `json:"dir"`
	Name string `json:"name"`
	// Made says that the context was made. Without it that may not have come to be.
	Made bool `json:"made,omitempty"`
	// Before is the current context before ours, as it was written; nil where
	// ours was not made the current one.
	Before *before `json:"before,omitempty"`
}

type before struct {
	Name string `json:"name"`
	// Missing says that there was no such context already then.
	Missing bool `json:"missing,omitempty"`
}

// recall reads what there is to take back; nil for nothing.
func recall(file string) (*memory, error) {
	data, err := regular.Read(file, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m memory
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fault.New(fault.Failed, "read", file, err)
	}
	return &m, nil
}

func (m *memory) save(file string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(file, append(data, '\n'), memoryMode); err != nil {
		return fault.New(fault.Failed, "save the Docker context before in", file, err)
	}
	return nil
}

// undo removes the context, and makes the current one what it was, if it still
// is ours. A context that can't be given up stays, as the client fails without.
// If there is nothing to take back, nothing is written or locked: the directory
// may be read-only, or not a directory any more.
func (m *memory) undo(ctx context.Context) error {
	c := open(m.Dir)
	current, err := c.current()
	switch {
	case err != nil && m.Before != nil && !absent(err):
		return err
	case err == nil && current == m.Name:
		if _, err := c.swap(ctx, m.Name, m.previous(c)); err != nil {
			return err
		}
	}
	_, err = os.Stat(c.store.GetStorageInfo(m.Name).MetadataPath)
	if absent(err) || err != nil && !m.Made && m.Before == nil {
		return nil
	}
	return c.remove(ctx, m.Name)
}

// absent reports whether an error says that there is no such file, nor can be.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// previous returns the context to go back to: the default one where that of
// before has been removed since.
func (m *memory) previous(c *contexts) string {
	if m.Before == nil || !m.Before.Missing && !c.has(m.Before.Name) {
		return ""
	}
	return m.Before.Name
}

// Forget takes back what a keeper did that has the file as its memory, and runs
// any longer. It is for the end of an instance.
func Forget(ctx context.Context, file string) error {
	m, err := recall(file)
	if err != nil || m == nil {
		return err
	}
	if err := m.undo(ctx); err != nil {
		return err
	}
	return os.Remove(file)
}
