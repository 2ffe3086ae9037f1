// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// Disk is what a virtual machine has on the disk of this machine.
type Disk struct {
	// Name is the virtual machine's.
	Name string
	// Size is what its lima.yaml says, as in 100GiB; empty if it says nothing.
	Size string
	// Used is what all its files take, in bytes.
	Used int64
}

// disks returns those of the virtual machines in a LIMA_HOME.
func disks(home string) (found []Disk) {
	client := &limactl.Client{Home: home}
	for _, name := range client.Names() {
		disk := Disk{Name: name}
		if text, err := os.ReadFile(filepath.Join(client.Dir(name), "lima.yaml")); err == nil {
			disk.Size = sizeIn(text)
		}
		// A file that vanishes, or can't be read, is not counted.
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

// sizeIn returns the size of the disk that a lima.yaml has.
func sizeIn(text []byte) string {
	var fields struct {
		Disk string `json:"disk"`
	}
	if yaml.Unmarshal(text, &fields) != nil {
		return ""
	}
	return fields.Disk
}
