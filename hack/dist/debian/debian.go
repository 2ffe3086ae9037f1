// SPDX-License-Identifier: Apache-2.0

// Package debian writes Debian packages, as deb(5) describes them: an ar archive of the
// format's version, a tar archive with dpkg's control files, and one of the files.
package debian

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the format has these
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/hack/dist/archive"
)

// Package describes a package. All fields are required.
type Package struct {
	// Control has the fields of the control file, one per line. Write adds those that
	// depend on the files.
	Control string
	Files   []archive.File
	// Modified is the time of everything in the package.
	Modified time.Time
}

// Write writes the package to a new file.
func (p *Package) Write(path string) (err error) {
	control, err := p.control()
	if err != nil {
		return err
	}
	// An ar archive has a member's size before its content, so the large member is
	// written to a file first.
	data, err := os.CreateTemp("", "rdd-deb-")
	if err != nil {
		return err
	}
	defer func() { _, _ = data.Close(), os.Remove(data.Name()) }()
	if err := archive.TarGz(data, "./", p.Files, p.Modified); err != nil {
		return err
	}
	size, err := data.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = data.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	ar := arWriter{w: out, modified: p.Modified}
	if _, err := io.WriteString(out, "!<arch>\n"); err != nil {
		return err
	}
	const version = "2.0\n"
	if err := ar.member("debian-binary", strings.NewReader(version), int64(len(version))); err != nil {
		return err
	}
	if err := ar.member("control.tar.gz", bytes.NewReader(control), int64(len(control))); err != nil {
		return err
	}
	return ar.member("data.tar.gz", data, size)
}

// control returns the archive of the control files.
func (p *Package) control() ([]byte, error) {
	var sums strings.Builder
	kilobytes := int64(0) // as the policy counts them: each file is rounded up
	for _, file := range archive.Sorted(p.Files) {
		hash := md5.New() //nolint:gosec // the format has these
		if err := file.CopyTo(hash); err != nil {
			return nil, err
		}
		fmt.Fprintf(&sums, "%x  %s\n", hash.Sum(nil), file.Name)
		size, err := file.Size()
		if err != nil {
			return nil, err
		}
		kilobytes += (size + 1023) / 1024
	}
	control := fmt.Sprintf("%s\nInstalled-Size: %d\n", strings.TrimSpace(p.Control), kilobytes)
	var out bytes.Buffer
	err := archive.TarGz(&out, "./", []archive.File{
		{Name: "control", Mode: archive.FileMode, Data: []byte(control)},
		{Name: "md5sums", Mode: archive.FileMode, Data: []byte(sums.String())},
	}, p.Modified)
	return out.Bytes(), err
}

// arWriter writes the members of an ar archive (ar(5)).
type arWriter struct {
	w        io.Writer
	modified time.Time
}

func (a arWriter) member(name string, content io.Reader, size int64) error {
	_, err := fmt.Fprintf(a.w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, a.modified.Unix(), 0, 0, "100644", size)
	if err == nil {
		_, err = io.CopyN(a.w, content, size)
	}
	if err == nil && size%2 == 1 {
		_, err = io.WriteString(a.w, "\n")
	}
	return err
}

// Version returns the package version for a version of RDD: a version that git
// describes as some commits after another sorts after it, and a pre-release (with a
// hyphen) before the release. The result is a native package's version: it has no
// hyphen.
func Version(version string) string {
	after := ""
	if parts := regexp.MustCompile(`^(.*)-(\d+)-g([0-9a-f]+(?:-dirty)?)$`).FindStringSubmatch(version); parts != nil {
		version, after = parts[1], "+"+parts[2]+"."+parts[3]
	}
	release, before, isBefore := strings.Cut(version, "-")
	if isBefore {
		release += "~" + before
	}
	return strings.ReplaceAll(release+after, "-", ".")
}
