// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// identity identifies an engine. The ID alone is not enough: it is in a file, which
// may be copied with its disk. Empty fields are not known.
type identity struct{ id, rootDir, hostName string }

func identityOf(info *engine.Info) identity {
	return identity{id: info.ID, rootDir: info.RootDir, hostName: info.HostName}
}

// errUnnamed is the error of an engine that reported an ID before and does not now: it
// may be any engine.
var errUnnamed = errors.New("the engine no longer reports its ID: the mirrors are not changed")

// changedError is the error of an endpoint at which another engine answers.
type changedError struct{ mirrored, found string }

func (e *changedError) Error() string {
	return fmt.Sprintf("the endpoint answers as engine %q, but the mirrors are of %q: the mirrors are not changed; "+
		"stop and start the ContainerEngine (spec.running) to mirror the other engine instead", e.found, e.mirrored)
}

// anotherEngine reports whether err is a [changedError].
func anotherEngine(err error) bool {
	var changed *changedError
	return errors.As(err, &changed)
}

// differ reports whether both values are known and not the same.
func differ(known, reported string) bool { return known != "" && reported != "" && known != reported }

// recognize checks that the engine which answers is the mirrored one. A machine may
// be renamed: another host name alone means another engine only if that has none of
// the mirrored objects.
func (c *connection) recognize(ctx context.Context, info *engine.Info) error {
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	now := identityOf(info)
	switch {
	case known.id != "" && now.id == "":
		return errUnnamed
	case differ(known.id, now.id):
		return &changedError{mirrored: known.id, found: now.id}
	case differ(known.rootDir, now.rootDir):
		return &changedError{mirrored: known.id + " in " + known.rootDir, found: now.id + " in " + now.rootDir}
	case differ(known.hostName, now.hostName):
		familiar, err := c.familiar(ctx)
		if err != nil {
			return fmt.Errorf("the host name of the engine changed from %q to %q, and listing its objects to identify it failed: %w", known.hostName, now.hostName, err)
		}
		if !familiar {
			return &changedError{mirrored: known.id + " on " + known.hostName, found: now.id + " on " + now.hostName}
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

// familiar reports whether the engine has at least one of the mirrored objects, or
// there are no mirrors.
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

// prove checks that the engine which lists no objects of a kind has the known
// identity in every field.
func (c *connection) prove(ctx context.Context, kind engine.Kind) error {
	info, err := c.engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("the engine lists no %ss, and identifying it failed: %w", kind, err)
	}
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	if now := identityOf(&info); now.id == "" || now != known {
		return &changedError{
			mirrored: fmt.Sprintf("%s in %s on %s", known.id, known.rootDir, known.hostName),
			found:    fmt.Sprintf("%s in %s on %s, without any %s", now.id, now.rootDir, now.hostName, kind),
		}
	}
	return nil
}
