// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/tempdir"
)

// Lima's names of files in an instance's directory.
const (
	templateFile = "lima.yaml"
	eventsFile   = "ha.stdout.log"
	bootLogFile  = "ha.stderr.log"
)

// maxFile is the largest template that is read, in bytes.
const maxFile = 16 << 20

// appliedFile has the template that was last applied, unchanged: Lima may write another
// text.
const appliedFile = "rdd-template.yaml"

// ErrNotApplied is the error if rdd has applied no template to an instance.
var ErrNotApplied = errors.New("rdd has applied no template")

// scratchPrefix is the prefix of temporary directories, one for each run of limactl
// that reads a template.
const scratchPrefix = "rdd-lima-"

// SweepScratch removes the temporary directories of processes that were killed.
func SweepScratch() { tempdir.Sweep(scratchPrefix) }

// inScratch writes a template to a temporary directory, which it removes when do has
// returned.
func inScratch(template string, do func(dir, file string) error) error {
	dir, err := tempdir.New(scratchPrefix)
	if err != nil {
		return err
	}
	defer dir.Remove()
	file := filepath.Join(dir.Path, "template.yaml")
	if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
		return err
	}
	err = do(dir.Path, file)
	if e := (*Error)(nil); errors.As(err, &e) {
		// The name is random, and the directory is deleted.
		e.Message = strings.ReplaceAll(e.Message, dir.Path+string(filepath.Separator), "")
	}
	return err
}

// Check returns why limactl refuses all commands, nil if it does not: for example it
// refuses to run as root. It changes nothing.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.query(ctx, "list", "--quiet")
	if KindOf(err) == NoInstance {
		return nil
	}
	return err
}

// Validate validates a template. It changes nothing. The error for an invalid template
// is of the kind [Invalid].
func (c *Client) Validate(ctx context.Context, template string) error {
	return inScratch(template, func(dir, file string) error {
		_, err := c.limited(ctx, queryLimit, call{args: []string{"validate", file}, dir: dir})
		return rejection(err)
	})
}

// rejection returns an error of a command that only checks a template, with the kind
// [Invalid] unless it has another one.
func rejection(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind == Failed {
		e.Kind = Invalid
	}
	return err
}

// CheckEdit validates the template as a replacement for an instance's: its disk can't
// shrink, for example. It works on a copy, so that the instance may be running, and is
// not changed. An error of the kind [Invalid] says
// what is wrong with the template.
func (c *Client) CheckEdit(ctx context.Context, name, template string) error {
	has, err := regular.Read(filepath.Join(c.Dir(name), templateFile), maxFile)
	if err != nil {
		return err
	}
	return inScratch(template, func(dir, _ string) error {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name, templateFile), has, 0o600); err != nil {
			return err
		}
		_, err := c.limited(ctx, queryLimit, call{args: editArgs(name, template), dir: dir, home: dir})
		return rejection(err)
	})
}

// editArgs returns the arguments that replace an instance's whole template without an
// editor. The template is in base64, so that no part of it is evaluated as an
// expression.
func editArgs(name, template string) []string {
	encoded := base64.StdEncoding.EncodeToString([]byte(template))
	return []string{"edit", "--set", fmt.Sprintf(`. = (%q | @base64d | from_yaml)`, encoded), name}
}

// Edit applies the template to an instance, which must be stopped. It is idempotent.
func (c *Client) Edit(ctx context.Context, name, template string) error {
	err := inScratch(template, func(dir, _ string) error { // limactl writes a rejected template there
		_, err := c.limited(ctx, queryLimit, call{args: editArgs(name, template), dir: dir})
		return err
	})
	if err != nil {
		return err
	}
	return c.setApplied(name, template)
}

// Create creates an instance from the template. It may take as long as a download. The
// rest of a failed creation is not an instance: Delete it.
func (c *Client) Create(ctx context.Context, name, template string, log *os.File) error {
	err := inScratch(template, func(dir, file string) error {
		_, err := c.run(ctx, call{args: []string{"create", "--name=" + name, file}, dir: dir, log: log})
		return err
	})
	if err != nil {
		return err
	}
	return c.setApplied(name, template)
}

func (c *Client) setApplied(name, template string) error {
	return atomicfile.Write(filepath.Join(c.Dir(name), appliedFile), []byte(template), 0o600)
}

// Applied returns the template that was last applied to an instance. If rdd applied
// none, it returns Lima's own template, and [ErrNotApplied].
func (c *Client) Applied(name string) (string, error) {
	text, err := regular.Read(filepath.Join(c.Dir(name), appliedFile), maxFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return string(text), err
	}
	text, err = regular.Read(filepath.Join(c.Dir(name), templateFile), maxFile)
	if err == nil {
		err = ErrNotApplied
	}
	return string(text), err
}

// ForgetBoot removes the host agent's output of a stopped instance: Lima replaces the
// files at a start, but late, and not if the start fails early.
func (c *Client) ForgetBoot(name string) error {
	for _, file := range []string{eventsFile, bootLogFile} {
		if err := os.Remove(filepath.Join(c.Dir(name), file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Start starts an instance, and returns when it is running or on a timeout. The boot
// continues when ctx or this process ends: limactl has a session of its own.
func (c *Client) Start(ctx context.Context, name string, limit time.Duration, log *os.File) error {
	_, err := c.run(ctx, call{args: []string{"start", "--timeout=" + limit.String(), name}, log: log, detached: true})
	return err
}

// Stop stops a running instance gracefully. On a timeout the error is of the kind
// [TimedOut], and the instance may still stop later.
func (c *Client) Stop(ctx context.Context, name string, limit time.Duration, log *os.File) error {
	_, err := c.limited(ctx, limit, call{args: []string{"stop", name}, log: log})
	return err
}

// StopForced stops an instance immediately in any state, and cleans up: processes that
// are left, and sockets that were forwarded to the host.
func (c *Client) StopForced(ctx context.Context, name string, log *os.File) error {
	left := c.Processes(name)
	instance, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	if _, err := c.limited(ctx, forceLimit, call{args: []string{"stop", "-f", name}, log: log}); err != nil {
		return err
	}
	for _, id := range left.all() {
		if err := id.Kill(); err != nil {
			return err
		}
	}
	for _, forward := range instance.Sockets() {
		if err := os.Remove(forward.Host); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Delete deletes an instance, after a forced stop. A missing instance is not an error.
func (c *Client) Delete(ctx context.Context, name string, log *os.File) error {
	_, err := c.limited(ctx, queryLimit, call{args: []string{"delete", "-f", name}, log: log})
	return err
}
