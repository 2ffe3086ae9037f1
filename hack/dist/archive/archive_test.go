// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// modified is the time of the files in the tests' archives: in no zone that a
// machine is likely to have.
func modified() time.Time {
	return time.Date(2026, 3, 29, 1, 30, 10, 0, time.FixedZone("far", 9*60*60+60))
}

// files returns what is to be packed, made anew: only names, modes and content
// are as before.
func files(t *testing.T, made time.Time) []File {
	t.Helper()
	source := filepath.Join(t.TempDir(), "anything")
	if err := os.WriteFile(source, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(source, made, made); err != nil {
		t.Fatal(err)
	}
	return []File{
		{Name: "top/z", Mode: FileMode, Data: []byte{}},
		{Name: "top/bin/rdd", Mode: ProgramMode, Source: source},
		{Name: "top/a", Mode: FileMode, Data: []byte("text")},
	}
}

// TestSameBytes: an archive has the same bytes whenever and wherever it is made.
func TestSameBytes(t *testing.T) {
	for name, write := range map[string]func(io.Writer, []File, time.Time) error{
		"tar": func(w io.Writer, files []File, modTime time.Time) error { return TarGz(w, "./", files, modTime) },
		"zip": Zip,
	} {
		t.Run(name, func(t *testing.T) {
			var first, second bytes.Buffer
			if err := write(&first, files(t, modified()), modified()); err != nil {
				t.Fatal(err)
			}
			again := files(t, modified().Add(time.Hour))
			slices.Reverse(again)
			if err := write(&second, again, modified().UTC()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.Bytes(), second.Bytes()) {
				t.Error("the second archive has other bytes")
			}
		})
	}
}

// entry is what an archive says of a file.
type entry struct {
	Mode    os.FileMode
	Owner   string
	Time    time.Time
	Content string
}

func TestTarGz(t *testing.T) {
	var out bytes.Buffer
	if err := TarGz(&out, "./", files(t, modified()), modified()); err != nil {
		t.Fatal(err)
	}
	compressed, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(compressed)
	got, order := map[string]entry{}, []string{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", header.Name, header.Uid, header.Gid)
		}
		got[header.Name] = entry{header.FileInfo().Mode(), header.Uname, header.ModTime.UTC(), string(content)}
		order = append(order, header.Name)
	}
	dir := entry{os.ModeDir | 0o755, "root", modified().UTC(), ""}
	want := map[string]entry{
		"./": dir, "./top/": dir, "./top/bin/": dir,
		"./top/z":       {0o644, "root", modified().UTC(), ""},
		"./top/a":       {0o644, "root", modified().UTC(), "text"},
		"./top/bin/rdd": {0o755, "root", modified().UTC(), "a program"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the archive (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(order[3:]) {
		t.Errorf("the files are in the order %q", order)
	}
}

func TestZip(t *testing.T) {
	var out bytes.Buffer
	if err := Zip(&out, files(t, modified()), modified()); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]entry{}
	for _, file := range archive.File {
		content, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		got[file.Name] = entry{Mode: file.Mode(), Time: file.Modified.UTC(), Content: string(data)}
	}
	want := map[string]entry{
		"top/z":       {Mode: 0o644, Time: modified().UTC()},
		"top/a":       {Mode: 0o644, Time: modified().UTC(), Content: "text"},
		"top/bin/rdd": {Mode: 0o755, Time: modified().UTC(), Content: "a program"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the archive (-want +got):\n%s", diff)
	}
}
