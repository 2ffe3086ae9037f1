// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Settings are what `rdd service create` saves.
type Settings struct {
	// Created is when the instance was made.
	Created time.Time `json:"created"`
	// Controllers is the selection of controllers to run.
	Controllers string `json:"controllers"`
	// SecurePort is the API server's port; 0 for the instance's preferred one.
	SecurePort int `json:"securePort,omitempty"`
	// Datastore is where the objects are; none for the instance's own file.
	Datastore datastore.Endpoint `json:"-"`
}

// settingsFile is what is kept of them, with the secrets of the datastore.
type settingsFile struct {
	Settings
	Saved datastore.Saved `json:"datastore,omitzero"`
}

// MakeDirs makes the instance's directories where they are missing, and takes
// every right of others away from them and from the secrets in them. A log
// directory that the user chose is made but not tightened: it may be shared.
func (i *Instance) MakeDirs() error {
	private := []string{i.dir, i.shortDir, i.TLSDir()}
	if !i.customLogDir {
		private = append(private, i.logDir)
	} else if err := os.MkdirAll(i.logDir, dirMode); err != nil {
		return fault.New(fault.Failed, "prepare the directory", i.logDir, err)
	}
	for _, dir := range private {
		if err := makePrivateDir(dir); err != nil {
			return fault.New(fault.Failed, "prepare the directory", dir, err)
		}
	}
	for _, dir := range []string{i.dir, i.TLSDir()} {
		if err := tightenFiles(dir); err != nil {
			return fault.New(fault.Failed, "tighten the files in", dir, err)
		}
	}
	return nil
}

func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if loose(info, dirMode) {
		return os.Chmod(dir, dirMode)
	}
	return nil
}

func tightenFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody's temporary file
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && loose(info, fileMode) {
			if err := os.Chmod(filepath.Join(dir, entry.Name()), fileMode); err != nil {
				return err
			}
		}
	}
	return nil
}

// loose reports whether info grants more than mode. Windows has no such bits:
// there the user's profile directory keeps others out.
func loose(info fs.FileInfo, mode fs.FileMode) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&^mode != 0
}

// SaveSettings writes the settings.
func (i *Instance) SaveSettings(s Settings) error {
	data, err := json.MarshalIndent(settingsFile{s, s.Datastore.Save()}, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(i.ArgsFile(), append(data, '\n'), fileMode); err != nil {
		return fault.New(fault.Failed, "save the settings in", i.ArgsFile(), err)
	}
	return nil
}

// LoadSettings reads the settings. An instance that was never created gives
// [fs.ErrNotExist].
func (i *Instance) LoadSettings() (Settings, error) {
	data, err := os.ReadFile(i.ArgsFile())
	if err != nil {
		return Settings{}, err
	}
	var file settingsFile
	err = json.Unmarshal(data, &file)
	file.Datastore = file.Saved.Endpoint()
	if err != nil {
		return file.Settings, fault.New(fault.Failed, "read the settings in", i.ArgsFile(), err)
	}
	return file.Settings, nil
}

// Remove deletes everything that belongs to the instance; the logs only where
// keepLogs is false. The caller holds the start lock and knows that no daemon
// lives.
func (i *Instance) Remove(keepLogs bool) error {
	if !keepLogs {
		if err := i.removeLogs(); err != nil {
			return fault.New(fault.Failed, "remove the logs in", i.logDir, err)
		}
	}
	for _, dir := range []string{i.shortDir, i.dir} {
		if err := removeAllBut(dir, i.logDir); err != nil {
			return fault.New(fault.Failed, "remove", dir, err)
		}
	}
	return nil
}

// removeLogs removes our files from the log directory, and the directory where
// nothing else is in it.
func (i *Instance) removeLogs() error {
	logs, err := filepath.Glob(filepath.Join(i.logDir, logPattern))
	if err != nil {
		return err
	}
	for _, path := range logs {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_ = os.Remove(i.logDir) // fails where it is not empty, as it should
	return nil
}

// removeAllBut removes dir, sparing the directory spare where it is in it (on
// Windows the logs are inside the instance's directory). Where dir is a link,
// what it leads to is emptied first: the secrets are there.
func removeAllBut(dir, spare string) error {
	_, err := os.Stat(spare)
	spared := err == nil && filepath.Dir(spare) == dir
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	link := info.Mode()&fs.ModeSymlink != 0
	if !link && !spared {
		return removeAll(dir)
	}
	if err := empty(dir, spare); err != nil || spared {
		return err
	}
	return os.Remove(dir)
}

// removeTries is how often a directory is removed into which somebody puts a file
// meanwhile: who waits for a lock makes it anew, until its directory is gone.
const removeTries = 10

func removeAll(dir string) (err error) {
	for range removeTries {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
	}
	return err
}

// empty removes all that is in dir, but spare.
func empty(dir, spare string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a link that leads nowhere
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if path := filepath.Join(dir, entry.Name()); path != spare {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}
