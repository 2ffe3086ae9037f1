// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// maxLog is the size in bytes at which the log of limactl's output is rotated.
const maxLog = 1 << 20

// openLog opens the log of limactl's output for a virtual machine.
func openLog(cfg Config, name string) (*os.File, error) {
	return instance.ContinueLog(logFile(cfg.LogDir, name, "limactl.log"), maxLog)
}

// keepLogs copies the logs of a virtual machine to the daemon's logs before they are
// deleted with it. It keeps as many of each as of the daemon's.
func keepLogs(cfg Config, client *limactl.Client, name string) error {
	logs, err := filepath.Glob(filepath.Join(client.Dir(name), "*.log"))
	if err != nil {
		return err
	}
	for _, log := range logs {
		kept := logFile(cfg.LogDir, name, filepath.Base(log))
		if err := copyFile(log, kept); err != nil {
			return fmt.Errorf("copy the log %s: %w", log, err)
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	source, err := regular.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := instance.NewLog(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
