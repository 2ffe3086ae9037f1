// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"encoding/json"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const (
	fileMode = 0o600

	// maxFile is the maximum size of the instance's small files, in bytes.
	maxFile = 1 << 20
)

// Settings are what `rdd service create` saves.
type Settings struct {
	// Created is when the instance was created.
	Created time.Time `json:"created"`
	// Controllers is the selection of controllers to run.
	Controllers string `json:"controllers"`
	// SecurePort is the API server's port; 0 for the instance's preferred one.
	SecurePort int `json:"securePort,omitempty"`
	// LogLevel is the daemon's, unless a flag or the environment sets another; empty for
	// the default.
	LogLevel string `json:"logLevel,omitempty"`
	// Datastore is where the objects are stored; zero for the instance's own file.
	Datastore datastore.Endpoint `json:"-"`
}

// settingsFile is the saved form, which includes the datastore's secrets.
type settingsFile struct {
	Settings
	Saved datastore.Saved `json:"datastore,omitzero"`
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

// LoadSettings reads the settings. The error for a missing instance is
// [io/fs.ErrNotExist].
func (i *Instance) LoadSettings() (Settings, error) {
	data, err := regular.Read(i.ArgsFile(), maxFile)
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
