// SPDX-License-Identifier: Apache-2.0

//go:build unix

package owned

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// GiveAs sets the owner and group of a new file to those of the file at path, which it
// replaces, or of its directory, as far as this user may.
func GiveAs(file *os.File, path string) {
	like, err := os.Stat(path)
	if err != nil {
		like, err = os.Stat(filepath.Dir(path))
	}
	info, infoErr := file.Stat()
	if err != nil || infoErr != nil {
		return
	}
	uid, gid := ownerOf(info)
	wantUID, wantGID := ownerOf(like)
	if uid == wantUID && (gid == wantGID || like.IsDir()) {
		return
	}
	mode := info.Mode().Perm()
	if file.Chown(wantUID, wantGID) != nil { // only root can change the owner
		_ = file.Chown(-1, wantGID)
	}
	_ = file.Chmod(mode) // chown(2) may change it
}

// GiveAsBeside gives files that root has created in another user's directories to that
// user, recursively. dir is the user's.
func GiveAsBeside(dir string, paths ...string) error {
	like, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	uid, gid := ownerOf(like)
	if uid == 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, path := range paths {
		for ; path != dir && len(path) > len(dir); path = filepath.Dir(path) {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			if err := give(root, name, uid, gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// give gives root's files below a name in a directory to a user. It follows no link out
// of the directory.
func give(root *os.Root, name string, uid, gid int) error {
	err := fs.WalkDir(root.FS(), filepath.ToSlash(name), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		if owner, _ := ownerOf(info); owner != 0 {
			return nil
		}
		return root.Lchown(path, uid, gid)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
