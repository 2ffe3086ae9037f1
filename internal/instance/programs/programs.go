// SPDX-License-Identifier: Apache-2.0

// Package programs keeps an instance's directory of programs: links to rdd, to rdd as
// kubectl, and to the tools that are beside rdd or elsewhere on the machine. What the
// user puts there stays.
package programs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// tools are the programs that are linked if they are found. Docker runs some of them as
// plug-ins.
var tools = []string{"docker", "docker-compose", "docker-buildx", "nerdctl", "helm"}

// Config says what is linked.
type Config struct {
	// Dir is the directory, which exists.
	Dir string
	// Executable is rdd.
	Executable string
	// Path lists the directories where tools are looked for after that of rdd, as PATH
	// does.
	Path string
	// Plugins are directories with Docker's plug-ins, which are looked at last.
	Plugins []string
}

// PluginDirs returns the directories in which Docker's client looks for plug-ins.
func PluginDirs(dockerConfig string) []string {
	dirs := []string{filepath.Join(dockerConfig, "cli-plugins")}
	if runtime.GOOS == "windows" {
		return append(dirs, filepath.Join(os.Getenv("ProgramData"), "Docker", "cli-plugins"), filepath.Join(os.Getenv("ProgramFiles"), "Docker", "cli-plugins"))
	}
	return append(dirs, "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins")
}

// Link makes and mends the links. It goes on after a failure: one link less is no
// reason to have none.
func (c Config) Link() error {
	var failed []error
	for _, name := range []string{"rdd", "kubectl"} {
		failed = append(failed, c.ours(name))
	}
	for _, name := range tools {
		failed = append(failed, c.tool(name))
	}
	return errors.Join(failed...)
}

// ours links a name to rdd. Another link of that name is one to an older rdd.
func (c Config) ours(name string) error {
	path := c.path(name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return link(c.Executable, path, name)
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err := os.Readlink(path); err == nil && target == c.Executable {
			return nil
		}
	case !isShim(path) && !sameFile(path, c.Executable) && !isOldLink(path, info, c.Executable):
		return nil // the user's own program
	case sameFile(path, c.Executable):
		return nil
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return link(c.Executable, path, name)
}

// tool links a tool that is found, and takes away a link to one that is gone.
func (c Config) tool(name string) error {
	path := c.path(name)
	info, err := os.Lstat(path)
	there := err == nil
	if there && (info.Mode()&fs.ModeSymlink == 0 || exists(path)) {
		return nil
	}
	target := c.find(name)
	if there { // a link to what is gone
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if target == "" {
		return nil
	}
	return link(target, path, name)
}

// find returns the absolute path of a tool: beside rdd, in PATH, or among Docker's
// plug-ins.
func (c Config) find(name string) string {
	dirs := append([]string{filepath.Dir(c.Executable)}, filepath.SplitList(c.Path)...)
	if strings.HasPrefix(name, "docker-") {
		dirs = append(dirs, c.Plugins...)
	}
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) == filepath.Clean(c.Dir) {
			continue // another instance's directory of the same kind is one like others
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found
		}
	}
	return ""
}

func (c Config) path(name string) string {
	path := filepath.Join(c.Dir, name)
	if runtime.GOOS != "windows" {
		return path
	}
	for _, extension := range []string{".exe", ".cmd"} {
		if _, err := os.Lstat(path + extension); err == nil {
			return path + extension
		}
	}
	return path + ".exe"
}

// Names returns the names of all programs that are linked.
func Names() []string { return append([]string{"rdd", "kubectl"}, slices.Clone(tools)...) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// link makes a link: a symbolic one, else a hard one, else a program that calls the
// target.
func link(target, path, name string) error {
	if err := os.Symlink(target, path); err == nil {
		return nil
	}
	if err := os.Link(target, path); err == nil {
		return nil
	}
	return writeShim(target, path, name)
}
