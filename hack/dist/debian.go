// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/hack/dist/archive"
	"github.com/rancher-sandbox/rancher-desktop-daemon/hack/dist/debian"
)

// debian creates the platform's package for Debian and its derivatives.
func (d *dist) debian(p platform, c *common, rdd string, notices []byte) error {
	version := debian.Version(d.version)
	files, err := d.debianFiles(version, c, rdd, notices)
	if err != nil {
		return err
	}
	pkg := debian.Package{
		Control: strings.Join([]string{
			"Package: rdd",
			"Version: " + version,
			"Architecture: " + p.arch,
			"Maintainer: " + d.maintainer,
			"Section: admin",
			"Priority: optional",
			"Suggests: docker.io | podman, openssh-client",
			"Description: Kubernetes API in front of a container engine",
			" RDD, the Rancher Desktop daemon, runs a Kubernetes API server on this machine,",
			" connects it to a container engine, and shows every container, image and volume",
			" of the engine as a Kubernetes object: list them, watch them, wait for them and",
			" delete them with any Kubernetes client.",
		}, "\n"),
		Files:    files,
		Modified: d.modified,
	}
	return pkg.Write(filepath.Join(d.out, fmt.Sprintf("rdd_%s_%s.deb", version, p.arch)))
}

// debianFiles returns the files at their places on Debian.
func (d *dist) debianFiles(version string, c *common, rdd string, notices []byte) ([]archive.File, error) {
	const doc = "usr/share/doc/rdd/"
	own := func(name string) string { return filepath.Join("hack", "dist", "linux", name) }
	files := []archive.File{
		{Name: "usr/bin/rdd", Mode: archive.ProgramMode, Source: rdd},
		{Name: doc + "copyright", Mode: archive.FileMode, Source: own("copyright")},
		{Name: "usr/share/lintian/overrides/rdd", Mode: archive.FileMode, Source: own("lintian-overrides")},
		{Name: "usr/share/bash-completion/completions/rdd", Mode: archive.FileMode, Data: c.completions["bash"]},
		{Name: "usr/share/zsh/vendor-completions/_rdd", Mode: archive.FileMode, Data: c.completions["zsh"]},
		{Name: "usr/share/fish/vendor_completions.d/rdd.fish", Mode: archive.FileMode, Data: c.completions["fish"]},
	}
	for _, unit := range units() {
		unit.Name = "usr/lib/systemd/user/" + unit.Name
		files = append(files, unit)
	}
	for _, file := range c.docs {
		file.Name = doc + file.Name
		files = append(files, file)
	}
	compressed := map[string][]byte{
		doc + "NOTICES.gz":   notices,
		doc + "changelog.gz": d.debianChangelog(version),
	}
	for _, page := range c.man {
		data, err := os.ReadFile(page.Source)
		if err != nil {
			return nil, err
		}
		compressed["usr/share/man/man1/"+page.Name+".gz"] = data
	}
	for name, data := range compressed {
		data, err := archive.Gzip(data)
		if err != nil {
			return nil, err
		}
		files = append(files, archive.File{Name: name, Mode: archive.FileMode, Data: data})
	}
	return files, nil
}

// debianChangelog is the changelog in the form of deb-changelog(5), which every
// package has.
func (d *dist) debianChangelog(version string) []byte {
	return fmt.Appendf(nil, "rdd (%s) unstable; urgency=medium\n\n  * RDD %s; see CHANGELOG.md for the changes.\n\n -- %s  %s\n",
		version, d.version, d.maintainer, d.modified.Format(time.RFC1123Z))
}
