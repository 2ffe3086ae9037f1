// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// Disk describes the files of a virtual machine.
type Disk struct {
	// Name is the name of the virtual machine.
	Name string
	// Size is the disk size in lima.yaml, as in 100GiB; empty if it has none.
	Size string
	// Used is the disk space of all files, in bytes.
	Used int64
}

// disks returns the disks of the virtual machines in a LIMA_HOME.
func disks(home string) (found []Disk) {
	client := &limactl.Client{Home: home}
	for _, name := range client.Names() {
		disk := Disk{Name: name}
		if text, err := os.ReadFile(filepath.Join(client.Dir(name), "lima.yaml")); err == nil {
			disk.Size = sizeIn(text)
		}
		// A file that was just removed, or can't be read, does not count.
		_ = filepath.WalkDir(client.Dir(name), func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil //nolint:nilerr // see above
			}
			if info, err := entry.Info(); err == nil {
				disk.Used += Allocated(info)
			}
			return nil
		})
		found = append(found, disk)
	}
	return found
}

// sizeIn returns the disk size in a lima.yaml.
func sizeIn(text []byte) string {
	var fields struct {
		Disk string `json:"disk"`
	}
	if yaml.Unmarshal(text, &fields) != nil {
		return ""
	}
	return fields.Disk
}
