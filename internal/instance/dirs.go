// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
)

// limaConfigDir has the SSH keys of all of Lima's virtual machines, in LIMA_HOME.
const limaConfigDir = "_config"

// ownDir is a directory that only this user may control.
type ownDir struct {
	path string
	// files reports, by name, whether RDD relies on a file in the directory; nil for
	// all files.
	files func(name string) bool
	// secrets is whether all files are secret: other users have no permissions.
	secrets bool
	// optional directories are created on demand.
	optional bool
}

// ownDirs are the instance's directories, parents first.
func (i *Instance) ownDirs() []ownDir {
	dirs := []ownDir{
		{path: i.dir, secrets: true},
		{path: i.TLSDir(), secrets: true},
		{path: i.shortDir, files: isSocket},
		{path: i.BinDir(), optional: true, files: isOneOf()}, // links in it may lead to the user's programs
		{path: i.LimaHome(), optional: true},
		{path: filepath.Join(i.LimaHome(), limaConfigDir), optional: true},
	}
	if !i.customLogDir {
		dirs = append(dirs, ownDir{path: i.logDir, files: isLog})
	}
	return dirs
}

func isOneOf(paths ...string) func(string) bool {
	return func(name string) bool {
		for _, path := range paths {
			if filepath.Base(path) == name {
				return true
			}
		}
		return false
	}
}

// isSocket matches the sockets of engines, and of the process for a database.
func isSocket(name string) bool { return filepath.Ext(name) == ".sock" }

func isLog(name string) bool {
	matched, err := filepath.Match(logPattern, name)
	return err == nil && matched
}

// Check rejects an instance whose directories or files another user can change: a user
// who can write its kubeconfig or keys can act as this user. It creates nothing, and
// changes no permission but others' write permission.
func (i *Instance) Check() error {
	for _, own := range i.ownDirs() {
		d, err := owned.Open(own.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = d.Check(own.files)
			d.Close()
		}
		if err != nil {
			return i.distrust(err)
		}
	}
	if !i.customLogDir {
		return nil
	}
	return i.checkSharedLogs()
}

// checkSharedLogs checks a log directory that the user chose, but not its content,
// which other users may own: a log is checked when it is opened.
func (i *Instance) checkSharedLogs() error {
	d, err := owned.OpenShared(i.logDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.New(fault.Failed, "check instance", i.name, err)
	}
	d.Close()
	return nil
}

// distrust returns the error for an untrusted directory. If the whole home directory
// belongs to another user, the error says that.
func (i *Instance) distrust(err error) error {
	if homeErr := owned.CheckHome(i.home); homeErr != nil {
		err = homeErr
	}
	return fault.New(fault.Failed, "check instance", i.name, err)
}

// MakeDirs creates missing directories of the instance, and removes all permissions of
// others from the directories and the secrets in them. It creates a log directory that
// the user chose, but leaves its permissions: it may be shared. It rejects another
// user's home directory, and what [Instance.Check] rejects.
func (i *Instance) MakeDirs() error {
	if err := owned.CheckHome(i.home); err != nil {
		return fault.New(fault.Failed, "prepare instance", i.name, err)
	}
	if i.customLogDir {
		d, err := owned.MakeShared(i.logDir)
		if err != nil {
			return fault.New(fault.Failed, "prepare instance", i.name, err)
		}
		d.Close()
	}
	for _, own := range i.ownDirs() {
		if own.optional {
			continue
		}
		if err := own.prepare(); err != nil {
			return fault.New(fault.Failed, "prepare instance", i.name, err)
		}
	}
	return i.Check()
}

func (o ownDir) prepare() error {
	d, err := owned.Make(o.path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Check(o.files); err != nil || !o.secrets {
		return err
	}
	return d.Tighten()
}

// Remove deletes all files of the instance, but keeps the logs if keepLogs is true. It
// follows no links, and deletes only this user's files. The caller holds the start
// lock, and no daemon is running.
func (i *Instance) Remove(keepLogs bool) error {
	if err := i.Check(); err != nil {
		return err
	}
	if !keepLogs {
		if err := i.removeLogs(); err != nil {
			return fault.New(fault.Failed, "remove the logs of instance", i.name, err)
		}
	}
	for _, dir := range []string{i.shortDir, i.dir} {
		spare := ""
		if filepath.Dir(i.logDir) == dir && i.hasLogDir() { // as on Windows
			spare = filepath.Base(i.logDir)
		}
		if err := owned.RemoveAll(dir, spare); err != nil {
			return fault.New(fault.Failed, "remove instance", i.name, err)
		}
	}
	return nil
}

func (i *Instance) hasLogDir() bool {
	d, err := owned.OpenShared(i.logDir)
	if err != nil {
		return false
	}
	d.Close()
	return true
}

// removeLogs removes RDD's files from the log directory, and the directory if it is
// empty then.
func (i *Instance) removeLogs() error {
	d, err := owned.OpenShared(i.logDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !isLog(name) {
			continue
		}
		err := d.Remove(name)
		if i.customLogDir && errors.Is(err, fs.ErrPermission) {
			continue // another user's file
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	owned.RemoveEmpty(i.logDir) // a directory that is not empty stays
	return nil
}
