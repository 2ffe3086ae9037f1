// SPDX-License-Identifier: Apache-2.0

package realengine

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Image is the name of the image that every engine begins with: of Root.
const Image = "busybox:latest"

// Busybox is where Debian's busybox-static has it.
const Busybox = "/bin/busybox"

// Root returns a file system, as a tar archive, with a static busybox in it.
func Root() ([]byte, error) {
	program, err := os.ReadFile(Busybox)
	if err != nil {
		return nil, fmt.Errorf("make an image: %w (apt-get install busybox-static)", err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	files := []tar.Header{{Name: "bin/busybox", Mode: 0o755, Size: int64(len(program))}}
	for _, applet := range strings.Fields("sh sleep true false echo cat kill touch test stty grep") {
		files = append(files, tar.Header{Name: "bin/" + applet, Linkname: "busybox", Typeflag: tar.TypeSymlink, Mode: 0o777})
	}
	for _, header := range files {
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if header.Size > 0 {
			if _, err := w.Write(program); err != nil {
				return nil, err
			}
		}
	}
	return archive.Bytes(), w.Close()
}

// Installed returns an error with what to do if a program is missing.
func Installed(advice string, programs ...string) error {
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (%s)", err, advice)
		}
	}
	return nil
}

// BuiltDir returns where `make engines` builds to: bin/engines in the module's
// directory, which is at or above the test's.
func BuiltDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(dir, "bin", "engines"), err
		}
	}
	return "", errors.New("there is no go.mod above the test's directory")
}
