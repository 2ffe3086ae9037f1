// SPDX-License-Identifier: Apache-2.0

// Package atomicfile replaces files atomically: a reader gets the old content or the
// new one, never a mixture.
package atomicfile

import (
	"os"
	"path/filepath"
)

// Write writes data to the file at path with the given mode, through a temporary file
// beside it. The data is synced before the rename: after a power failure the file is
// the old or the new one. On an error the old file stays, and no temporary file is
// left.
func Write(path string, data []byte, mode os.FileMode) error {
	return Named(path, write(path, data, mode, true))
}

// WriteVolatile is Write without a sync, for files that describe a process and mean
// nothing after it.
func WriteVolatile(path string, data []byte, mode os.FileMode) error {
	return Named(path, write(path, data, mode, false))
}

func write(path string, data []byte, mode os.FileMode, durable bool) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Chmod(mode); err != nil {
		return err
	}
	if durable {
		if err = tmp.Sync(); err != nil {
			return err
		}
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
