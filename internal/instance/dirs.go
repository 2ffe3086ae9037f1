// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
)

// limaConfigDir holds the SSH keys of all of Lima's virtual machines, in LIMA_HOME.
const limaConfigDir = "_config"

// ownDir is a directory that must be this user's alone.
type ownDir struct {
	path string
	// files reports whether a file in it, by its name, is one that RDD relies on;
	// nil for all files.
	files func(name string) bool
	// secrets are in all files, which others have no permissions for.
	secrets bool
	// optional directories are made when they are needed.
	optional bool
}

// ownDirs are the instance's, each after the one that it is in.
func (i *Instance) ownDirs() []ownDir {
	dirs := []ownDir{
		{path: i.dir, secrets: true},
		{path: i.TLSDir(), secrets: true},
		{path: i.shortDir, files: isSocket},
		{path: i.BinDir(), optional: true, files: isOneOf()}, // links there are the user's
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

// isSocket is for those of engines, and the one between the daemon and a database.
func isSocket(name string) bool { return filepath.Ext(name) == ".sock" }

func isLog(name string) bool {
	matched, err := filepath.Match(logPattern, name)
	return err == nil && matched
}

// Check refuses an instance whose directories or files another user has a say in:
// who can write its kubeconfig or its keys can act as this user. It makes nothing,
// and takes no permission away but those of others to write.
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

// checkSharedLogs checks a log directory that the user chose, but not what is in it,
// which may be another user's: a log is checked when it is opened.
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

// distrust is the error of a directory that can't be trusted. All of a home
// directory that is another user's can't, and that is what there is to say.
func (i *Instance) distrust(err error) error {
	if homeErr := owned.CheckHome(i.home); homeErr != nil {
		err = homeErr
	}
	return fault.New(fault.Failed, "check instance", i.name, err)
}

// MakeDirs makes the instance's directories where they are missing, and takes
// every right of others away from them and from the secrets in them. A log
// directory that the user chose is made but not tightened: it may be shared. It
// refuses the home directory of another user, and what [Instance.Check] refuses.
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

// Remove deletes everything that belongs to the instance; the logs only where
// keepLogs is false. It follows no links, and removes nothing that is not this
// user's. The caller holds the start lock and knows that no daemon lives.
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

// removeLogs removes our files from the log directory, and the directory where
// nothing else is in it.
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
			continue // another user's, beside ours
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	owned.RemoveEmpty(i.logDir) // stays where it is not empty, as it should
	return nil
}
