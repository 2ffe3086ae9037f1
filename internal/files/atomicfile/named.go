// SPDX-License-Identifier: Apache-2.0

package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrMounted is the error if a file can't be replaced because it is a mount point, such
// as a single file that is bind-mounted into a container.
var ErrMounted = errors.New("the file is a mount point and can't be replaced: mount its directory instead")

// Named returns the error of replacing the file at path; nil for nil. It names that
// file, not the temporary one, whose name varies.
func Named(path string, err error) error {
	if err == nil {
		return nil
	}
	var link *os.LinkError
	var file *fs.PathError
	switch {
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &file):
		err = file.Err
	}
	// rename(2) returns EBUSY for a mount point, and on some file systems EXDEV.
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		err = fmt.Errorf("%w (%w)", ErrMounted, err)
	}
	return &fs.PathError{Op: "replace", Path: path, Err: err}
}
