// SPDX-License-Identifier: Apache-2.0

// Package atomicfile replaces files whole: a reader sees the old content or
// the new one, whatever happens in between.
package atomicfile

import (
	"os"
	"path/filepath"
)

// Write puts data into the file at path with the given mode, through a
// temporary file beside it. The data is on disk before the name is: after a
// power cut the file is the old one or the new one. Where it fails the old file
// stands, and nothing is left beside it.
func Write(path string, data []byte, mode os.FileMode) error {
	return Named(path, write(path, data, mode, true))
}

// WriteVolatile is Write without the wait for the disk, for files that
// describe a process and mean nothing after it.
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
