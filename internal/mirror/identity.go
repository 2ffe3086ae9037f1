// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// identity is by what an engine is known again. An ID alone is a file that may be
// copied with the disk that it is on. What is empty is not known.
type identity struct{ id, rootDir, hostName string }

func identityOf(info *engine.Info) identity {
	return identity{id: info.ID, rootDir: info.RootDir, hostName: info.HostName}
}

// errUnnamed says that an engine which had an ID answers without one. That may be
// any engine.
var errUnnamed = errors.New("the engine does not report its ID, which it did before: nothing is changed on its word")

// changedError says that another engine answers.
type changedError struct{ had, has string }

func (e *changedError) Error() string {
	return fmt.Sprintf("the endpoint answers as engine %q, and the mirrors are of %q: nothing is changed on its word; "+
		"stop and start the ContainerEngine (spec.running) to mirror the other engine instead", e.has, e.had)
}

// anotherEngine reports whether err says that another engine answers.
func anotherEngine(err error) bool {
	var changed *changedError
	return errors.As(err, &changed)
}

// differ reports whether both values are known and not the same.
func differ(known, reported string) bool { return known != "" && reported != "" && known != reported }

// recognize makes sure that the engine which answers is the one that the mirrors
// are of. The name of a machine may change: another one alone is another engine
// only if nothing is there any more that was.
func (c *connection) recognize(ctx context.Context, info *engine.Info) error {
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	now := identityOf(info)
	switch {
	case known.id != "" && now.id == "":
		return errUnnamed
	case differ(known.id, now.id):
		return &changedError{had: known.id, has: now.id}
	case differ(known.rootDir, now.rootDir):
		return &changedError{had: known.id + " in " + known.rootDir, has: now.id + " in " + now.rootDir}
	case differ(known.hostName, now.hostName):
		familiar, err := c.familiar(ctx)
		if err != nil {
			return fmt.Errorf("the engine's machine is now %q, and was %q; whether it is the same engine can't be seen: %w", now.hostName, known.hostName, err)
		}
		if !familiar {
			return &changedError{had: known.id + " on " + known.hostName, has: now.id + " on " + now.hostName}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, field := range []struct {
		known    *string
		reported string
	}{{&c.known.id, now.id}, {&c.known.rootDir, now.rootDir}, {&c.known.hostName, now.hostName}} {
		if field.reported != "" {
			*field.known = field.reported
		}
	}
	return nil
}

// familiar reports whether the engine has one of the objects at least that have
// mirrors, or there are no mirrors.
func (c *connection) familiar(ctx context.Context) (bool, error) {
	mirrored := false
	var failures []error
	for _, kind := range []engine.Kind{engine.KindContainer, engine.KindImage, engine.KindVolume} {
		if c.table.count(kind) == 0 {
			continue
		}
		mirrored = true
		items, err := c.engine.List(ctx, kind)
		for _, item := range items {
			if len(c.table.of(item.Key)) > 0 {
				return true, nil
			}
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("list the %ss: %w", kind, err))
		}
	}
	return !mirrored, errors.Join(failures...)
}

// prove makes sure that it is the known engine, in every respect, which reports
// that it has nothing of a kind.
func (c *connection) prove(ctx context.Context, kind engine.Kind) error {
	info, err := c.engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("whether it is the same engine that has no %ss any more can't be seen: %w", kind, err)
	}
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	if now := identityOf(&info); now.id == "" || now != known {
		return &changedError{
			had: fmt.Sprintf("%s in %s on %s", known.id, known.rootDir, known.hostName),
			has: fmt.Sprintf("%s in %s on %s, without any %s", now.id, now.rootDir, now.hostName, kind),
		}
	}
	return nil
}
