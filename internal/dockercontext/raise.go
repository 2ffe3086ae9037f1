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

// choices is how often another current context is looked at that was chosen
// during the look at the one before.
const choices = 10

// raise makes the context for an engine, and makes it the current one where the
// user has none that works.
func (k *Keeper) raise(ctx context.Context, t *Target) error {
	m, err := recall(k.Memory)
	if err != nil {
		return err
	}
	if m != nil && (m.Dir != k.Dir || m.Name != k.Name) { // the daemon before had another environment
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

// choose makes the context the current one, if that is missing or does not
// answer. If another has become the current one since, it looks at that.
func (k *Keeper) choose(ctx context.Context, c *contexts, m *memory) error {
	for range choices {
		current, err := c.current()
		if err != nil || current == k.Name {
			return err
		}
		state, reason := c.look(ctx, current, k.limit)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case state == unsure:
			k.Log.Info("the current Docker context stays: whether it works can't be told", "context", current, "error", reason)
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
			return fmt.Errorf("%w; or set DOCKER_CONTEXT=%s where you use docker", err, k.Name)
		}
		if err != nil {
			return err
		}
		if done {
			k.Log.Info("the Docker context is the current one now", "context", k.Name, "before", current, "error", reason)
			return nil
		}
	}
	return fault.New(fault.Failed, "change the current Docker context in", c.config.path, errChanged)
}

// lower takes back what raise did, also that of a daemon before this one.
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
