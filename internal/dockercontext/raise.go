// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
)

// choices is how often the current context is checked if another program changes it
// during the check.
const choices = 10

// raise creates or updates the context for an engine, and makes it the current one if
// the user's does not work.
func (k *Keeper) raise(ctx context.Context, t *Target) error {
	m, err := recall(k.Memory)
	if err != nil {
		return err
	}
	if m != nil && (m.Dir != k.Dir || m.Name != k.Name) { // the previous daemon had another environment
		if err := m.undo(ctx); err != nil {
			return err
		}
		m = nil
	}
	if m == nil {
		m = &memory{Dir: k.Dir, Name: k.Name}
		if err := m.save(k.Memory); err != nil {
			return err
		}
	}
	files, err := readTLS(ctx, t.Secret)
	if err != nil {
		return err
	}
	c := open(k.Dir)
	if err := c.put(ctx, k.Name, k.Description, t.Host, files); err != nil {
		return err
	}
	k.setName(k.Name)
	if !m.Made {
		m.Made = true
		if err := m.save(k.Memory); err != nil {
			return err
		}
	}
	if k.Overridden != "" {
		return nil
	}
	return k.choose(ctx, c, m)
}

// choose makes the context the current one if the current one does not exist or its
// engine does not answer. If another program changes the current context during that,
// choose checks the new one.
func (k *Keeper) choose(ctx context.Context, c *contexts, m *memory) error {
	for range choices {
		current, err := c.current()
		if err != nil || current == k.Name {
			return err
		}
		state, reason := c.check(ctx, current, k.limit)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case state == unsure:
			k.Log.Info("the current Docker context is kept: RDD can't check whether it works", "context", current, "error", reason)
			return nil
		case state == answers:
			return nil
		}
		m.Before = &before{Name: current, Missing: !c.has(current)}
		if err := m.save(k.Memory); err != nil {
			return err
		}
		done, err := c.swap(ctx, current, k.Name)
		if errors.Is(err, atomicfile.ErrMounted) {
			return fmt.Errorf("%w; or set DOCKER_CONTEXT=%s for docker", err, k.Name)
		}
		if err != nil {
			return err
		}
		if done {
			k.Log.Info("changed the current Docker context", "context", k.Name, "before", current, "error", reason)
			return nil
		}
	}
	return fault.New(fault.Failed, "change the current Docker context in", c.config.path, errChanged)
}

// lower reverts the changes of raise, also those of an earlier daemon.
func (k *Keeper) lower(ctx context.Context) error {
	m, err := recall(k.Memory)
	if err != nil {
		return err
	}
	if m != nil {
		if err := m.undo(ctx); err != nil {
			return err
		}
		if err := os.Remove(k.Memory); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	k.setName("")
	return nil
}
