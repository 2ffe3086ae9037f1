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

// memory records the changes to revert in a file, for the next daemon if this one is
// killed. Each record is written before the change.
type memory struct {
	// Dir is the directory of the contexts, and Name the name of RDD's context.
	Dir  string `json:"dir"`
	Name string `json:"name"`
	// Made is whether the context was created. If false, it may or may not exist.
	Made bool `json:"made,omitempty"`
	// Before is the current context before RDD's, as it was written; nil if RDD did
	// not change the current context.
	Before *before `json:"before,omitempty"`
}

type before struct {
	Name string `json:"name"`
	// Missing is whether that context did not exist.
	Missing bool `json:"missing,omitempty"`
}

// recall reads the changes to revert; nil for none.
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

// undo removes the context, and restores the previous current one if RDD's still is
// current. If that fails, the context is kept: the client fails without its current
// context. If there is nothing to revert, undo does not write or lock: the directory
// may be read-only, or no longer a directory.
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

// absent reports whether an error means that the file does not and can't exist.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// previous returns the context to restore: the default one if the previous one has
// been removed since.
func (m *memory) previous(c *contexts) string {
	if m.Before == nil || !m.Before.Missing && !c.has(m.Before.Name) {
		return ""
	}
	return m.Before.Name
}

// Forget reverts the changes of a stopped keeper from its memory file. It is for the
// deletion of an instance.
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
