// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/hack/dist/archive"
)

// common has the common files of all platforms' archives.
type common struct {
	man         []archive.File // named rdd.1, …
	completions map[string][]byte
	docs        []archive.File // named README.md, docs/….md: the links between them hold
}

// common collects the files that don't depend on the platform.
func (d *dist) common(ctx context.Context) (*common, error) {
	c := &common{completions: map[string][]byte{}}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script, err := exec.CommandContext(ctx, d.rdd, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("%s completion %s: %w", d.rdd, shell, err)
		}
		c.completions[shell] = script
	}
	pages, err := filepath.Glob(filepath.Join(d.man, "*.1"))
	if err != nil {
		return nil, err
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("there are no manual pages in %s: make man", d.man)
	}
	for _, page := range pages {
		c.man = append(c.man, archive.File{Name: filepath.Base(page), Mode: archive.FileMode, Source: page})
	}
	for _, pattern := range []string{"README.md", "CHANGELOG.md", "docs/*.md", "docs/examples/*"} {
		docs, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			return nil, err
		}
		for _, doc := range docs {
			c.docs = append(c.docs, archive.File{Name: filepath.ToSlash(doc), Mode: archive.FileMode, Source: doc})
		}
	}
	return c, nil
}

// program is a program as a file of an archive.
func program(source string) archive.File {
	return archive.File{Name: filepath.Base(source), Mode: archive.ProgramMode, Source: source}
}

// legal are the licences.
func legal(notices []byte) []archive.File {
	return []archive.File{
		{Name: "LICENSE", Mode: archive.FileMode, Source: "LICENSE"},
		{Name: "NOTICES", Mode: archive.FileMode, Data: notices},
	}
}

// main returns the files of the users' archive: rdd, and what belongs to it.
func (c *common) main(p platform, rdd string, notices []byte) []archive.File {
	files := append(legal(notices), program(rdd))
	files = append(files, c.docs...)
	for _, page := range c.man {
		page.Name = "man/man1/" + page.Name
		files = append(files, page)
	}
	for shell, name := range map[string]string{"bash": "rdd.bash", "zsh": "_rdd", "fish": "rdd.fish", "powershell": "rdd.ps1"} {
		files = append(files, archive.File{Name: "completions/" + name, Mode: archive.FileMode, Data: c.completions[shell]})
	}
	if p.os == "linux" {
		for _, unit := range units() {
			unit.Name = "systemd/" + unit.Name
			files = append(files, unit)
		}
	}
	return files
}

// controllers returns the files of the archive with the programs that run one group's
// controllers. Few users need them, and together they are larger than rdd.
func (c *common) controllers(programs []string, notices []byte) []archive.File {
	files := legal(notices)
	for _, source := range programs {
		files = append(files, program(source))
	}
	return files
}

// units are the files for systemd.
func units() []archive.File {
	var files []archive.File
	for _, name := range []string{"rdd.service", "rdd@.service"} {
		files = append(files, archive.File{Name: name, Mode: archive.FileMode, Source: filepath.Join("hack", "dist", "linux", name)})
	}
	return files
}

// archive writes the files as an archive of the platform's type, in one directory with
// the archive's name.
func (d *dist) archive(name string, p platform, files []archive.File) (err error) {
	name = strings.Join([]string{name, d.version, p.os, p.arch}, "_")
	for i := range files {
		files[i].Name = path.Join(name, files[i].Name)
	}
	if p.os == "windows" {
		return d.write(name+".zip", func(w io.Writer) error { return archive.Zip(w, files, d.modified) })
	}
	return d.write(name+".tar.gz", func(w io.Writer) error { return archive.TarGz(w, "", files, d.modified) })
}

// write creates a file in the output directory.
func (d *dist) write(name string, content func(io.Writer) error) error {
	file, err := os.Create(filepath.Join(d.out, name))
	if err != nil {
		return err
	}
	err = content(file)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// sums writes SHA256SUMS, for sha256sum --check.
func (d *dist) sums() error {
	entries, err := os.ReadDir(d.out)
	if err != nil {
		return err
	}
	return d.write("SHA256SUMS", func(w io.Writer) error {
		for _, entry := range entries {
			if entry.IsDir() || !strings.HasPrefix(entry.Name(), "rdd") {
				continue
			}
			hash := sha256.New()
			file := archive.File{Source: filepath.Join(d.out, entry.Name())}
			if err := file.CopyTo(hash); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%x  %s\n", hash.Sum(nil), entry.Name()); err != nil {
				return err
			}
		}
		return nil
	})
}
