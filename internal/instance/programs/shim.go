// SPDX-License-Identifier: Apache-2.0

package programs

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
)

const (
	shimMode = 0o700
	// shimMark is in the second line of every shim.
	shimMark = "made by rdd, which replaces it"
	// maxShim limits the bytes of a file that is looked at for the mark.
	maxShim = 1 << 12
)

// writeShim writes a program that calls the target by a name.
func writeShim(target, path, name string) error {
	if runtime.GOOS == "windows" {
		path = strings.TrimSuffix(path, ".exe") + ".cmd"
	}
	return atomicfile.Write(path, shim(runtime.GOOS, target, name), shimMode)
}

// shim returns the text of a shim. kubectl is a command of rdd where it can't be a name.
func shim(system, target, name string) []byte {
	command := ""
	if name == "kubectl" {
		command = " kubectl"
	}
	if system == "windows" {
		return []byte("@echo off\r\nrem " + shimMark + "\r\n\"" + strings.ReplaceAll(target, "%", "%%") + "\"" + command + " %*\r\n")
	}
	return []byte("#!/bin/sh\n# " + shimMark + "\nexec '" + strings.ReplaceAll(target, "'", `'\''`) + "'" + command + " \"$@\"\n")
}

// isShim reports whether a file is a shim.
func isShim(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxShim {
		return false
	}
	data, err := os.ReadFile(path)
	return err == nil && bytes.Contains(data, []byte(shimMark))
}

// isOldLink reports whether a file may be a hard link to an older rdd: as large as a
// program of that kind, where no symbolic link could be made.
func isOldLink(path string, info fs.FileInfo, executable string) bool {
	if runtime.GOOS != "windows" || !info.Mode().IsRegular() {
		return false
	}
	now, err := os.Stat(executable)
	return err == nil && info.Size() > now.Size()/2 && filepath.Ext(path) == filepath.Ext(executable)
}
