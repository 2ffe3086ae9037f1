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

// appliedFile holds the template that was last applied, as it was given: what
// Lima makes of it may be another text.
const appliedFile = "rdd-template.yaml"

// ErrNotApplied says that nothing is known to have been applied.
var ErrNotApplied = errors.New("no template was applied by rdd")

// scratchPrefix begins the names of temporary directories, of which there is one for
// each run of limactl that reads a template.
const scratchPrefix = "rdd-lima-"

// SweepScratch removes the temporary directories of processes that were killed.
func SweepScratch() { tempdir.Sweep(scratchPrefix) }

// inScratch writes a template where limactl can read it, and removes all that
// was written when do has returned.
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
		// The name is another each time, and nothing is there any more.
		e.Message = strings.ReplaceAll(e.Message, dir.Path+string(filepath.Separator), "")
	}
	return err
}

// Check reports why no command of limactl would be carried out, nil where they
// would be: it refuses to run as root. It changes nothing.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.query(ctx, "list", "--quiet")
	if KindOf(err) == NoInstance {
		return nil
	}
	return err
}

// Validate checks a template. It changes nothing. An error of the kind [Invalid]
// says what is wrong with the template.
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

// CheckEdit checks whether the template can take the place of the one that an
// instance has: its disk may not shrink, for example. It works on a copy, so that
// the instance may run, and is not changed. An error of the kind [Invalid] says
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

// editArgs replaces the whole of an instance's template. An expression is how
// that can be said without an editor; in base64 nothing in the text is taken for
// a part of it.
func editArgs(name, template string) []string {
	encoded := base64.StdEncoding.EncodeToString([]byte(template))
	return []string{"edit", "--set", fmt.Sprintf(`. = (%q | @base64d | from_yaml)`, encoded), name}
}

// Edit makes the template that of an instance, which must be stopped. It is
// idempotent.
func (c *Client) Edit(ctx context.Context, name, template string) error {
	err := inScratch(template, func(dir, _ string) error { // where a rejected one is written
		_, err := c.limited(ctx, queryLimit, call{args: editArgs(name, template), dir: dir})
		return err
	})
	if err != nil {
		return err
	}
	return c.setApplied(name, template)
}

// Create makes an instance of the template. That may take as long as a download
// does. What it leaves when it fails is not an instance: Delete it.
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

// Applied returns the template that an instance was last given. Where that is
// not known, the error is [ErrNotApplied], and the template that Lima has.
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

// ForgetBoot removes what the host agent of an instance said that does not run:
// Lima makes the files anew, but not at once, nor where a start fails early.
func (c *Client) ForgetBoot(name string) error {
	for _, file := range []string{eventsFile, bootLogFile} {
		if err := os.Remove(filepath.Join(c.Dir(name), file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Start starts an instance and returns when it runs, or the time is over. The
// boot goes on when ctx ends, and when this process does: limactl has a session
// of its own.
func (c *Client) Start(ctx context.Context, name string, limit time.Duration, log *os.File) error {
	_, err := c.run(ctx, call{args: []string{"start", "--timeout=" + limit.String(), name}, log: log, detached: true})
	return err
}

// Stop stops a running instance gracefully, within the time. The error is of the
// kind [TimedOut] where it is not over then; the instance may yet stop.
func (c *Client) Stop(ctx context.Context, name string, limit time.Duration, log *os.File) error {
	_, err := c.limited(ctx, limit, call{args: []string{"stop", name}, log: log})
	return err
}

// StopForced ends an instance at once, whatever state it is in, and what it
// leaves behind: processes that outlive their end, and sockets forwarded to the
// host.
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

// Delete removes an instance, which is stopped first, by force. That there is
// none is no error.
func (c *Client) Delete(ctx context.Context, name string, log *os.File) error {
	_, err := c.limited(ctx, queryLimit, call{args: []string{"delete", "-f", name}, log: log})
	return err
}
