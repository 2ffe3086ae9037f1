// SPDX-License-Identifier: Apache-2.0

// Package dist_test packs the programs as `make dist` does, and looks at what
// came of it with the tools of those who get it.
package dist_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const version = "1.2.3-rc.1"

// output runs a program, which must succeed, and returns what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	return outputOf(t, exec.CommandContext(t.Context(), name, args...))
}

func outputOf(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// pack makes the archives of linux/amd64, and returns their directory.
func pack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, bin, man := filepath.Join(dir, "out"), filepath.Join(dir, "bin"), filepath.Join(dir, "man")
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(bin, "rdd"), "../../cmd/rdd"),
		exec.CommandContext(t.Context(), "make", "-C", "../..", "man", "VERSION="+version, "MAN="+man),
		exec.CommandContext(t.Context(), "make", "-C", "../..", "archives", "VERSION="+version, "DIST="+out, "BIN="+bin, "MAN="+man, "PLATFORMS=linux/amd64"),
	} {
		cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED=0") // whatever the test is built with
		outputOf(t, cmd)
	}
	return out
}

func TestPackages(t *testing.T) {
	out := pack(t)
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = out
	if lines := strings.Count(outputOf(t, check), ": OK\n"); lines != 3 {
		t.Errorf("SHA256SUMS has %d files", lines)
	}
	name := "rdd_" + version + "_linux_amd64"
	t.Run("archive", func(t *testing.T) { testArchive(t, filepath.Join(out, name+".tar.gz"), name) })
	deb := filepath.Join(out, "rdd_1.2.3~rc.1_amd64.deb")
	t.Run("Debian", func(t *testing.T) { testDebian(t, deb) })
	root := t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, root)
	t.Run("program", func(t *testing.T) { testProgram(t, filepath.Join(root, "usr", "bin", "rdd")) })
	t.Run("units", func(t *testing.T) { testUnits(t, root) })
}

// listing turns what `tar --verbose` lists into a line for each file, with the
// mode, the owner and the name; root is left out of the names.
func listing(text, root string) map[string]string {
	files := map[string]string{}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 6 && !strings.HasPrefix(fields[0], "d") {
			files[strings.TrimPrefix(fields[5], root)] = fields[0] + " " + fields[1]
		}
	}
	return files
}

const (
	file    = "-rw-r--r-- root/root"
	program = "-rwxr-xr-x root/root"
)

// has checks that the files are those that are wanted, and pages of docs/ and of
// the manual.
func has(t *testing.T, got, want map[string]string) {
	t.Helper()
	page := regexp.MustCompile(`(^|/)(docs|man1)/`)
	for name := range got {
		if page.MatchString(name) && want[name] == "" {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the files (-want +got):\n%s", diff)
	}
}

func testArchive(t *testing.T, path, root string) {
	has(t, listing(output(t, "tar", "-tvzf", path), root+"/"), map[string]string{
		"rdd": program, "LICENSE": file, "NOTICES": file, "README.md": file, "CHANGELOG.md": file, "docs/engines.md": file,
		"man/man1/rdd.1": file, "man/man1/rdd-service-start.1": file,
		"completions/rdd.bash": file, "completions/_rdd": file, "completions/rdd.fish": file, "completions/rdd.ps1": file,
		"systemd/rdd.service": file, "systemd/rdd@.service": file,
	})
	notices := output(t, "tar", "-xOzf", path, root+"/NOTICES")
	for _, words := range []string{"\nk8s.io/kubernetes v1.", "\nmodernc.org/sqlite v1.", "Permission is hereby granted", "Redistribution and use in source"} {
		if !strings.Contains(notices, words) {
			t.Errorf("the notices lack %q", words)
		}
	}
}

func testDebian(t *testing.T, path string) {
	for field, want := range map[string]string{"Package": "rdd", "Version": "1.2.3~rc.1", "Architecture": "amd64"} {
		if got := strings.TrimSpace(output(t, "dpkg-deb", "--field", path, field)); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
	has(t, listing(output(t, "dpkg-deb", "--contents", path), "./usr/"), map[string]string{
		"bin/rdd": program, "lib/systemd/user/rdd.service": file, "lib/systemd/user/rdd@.service": file,
		"share/man/man1/rdd.1.gz": file, "share/man/man1/rdd-service-start.1.gz": file, "share/lintian/overrides/rdd": file,
		"share/bash-completion/completions/rdd": file, "share/zsh/vendor-completions/_rdd": file, "share/fish/vendor_completions.d/rdd.fish": file,
		"share/doc/rdd/copyright": file, "share/doc/rdd/changelog.gz": file, "share/doc/rdd/NOTICES.gz": file,
		"share/doc/rdd/README.md": file, "share/doc/rdd/CHANGELOG.md": file, "share/doc/rdd/docs/engines.md": file,
	})
	// What dpkg would check after the installation.
	root := t.TempDir()
	output(t, "dpkg-deb", "--raw-extract", path, root)
	sums := exec.CommandContext(t.Context(), "md5sum", "--check", "--strict", "--quiet", filepath.Join("DEBIAN", "md5sums"))
	sums.Dir = root
	outputOf(t, sums)
	if changes := output(t, "zcat", filepath.Join(root, "usr/share/doc/rdd/changelog.gz")); !strings.HasPrefix(changes, "rdd (1.2.3~rc.1) ") {
		t.Errorf("the changelog: %s", changes)
	}
}

// testProgram: the packed program is of the version, and runs with no library.
func testProgram(t *testing.T, path string) {
	if said := output(t, path, "--version"); !strings.Contains(said, version) {
		t.Errorf("--version says %s", said)
	}
	if linked := output(t, "sh", "-c", "ldd "+path+" 2>&1 || true"); !strings.Contains(linked, "not a dynamic executable") {
		t.Errorf("it needs libraries: %s", linked)
	}
}

// testUnits: systemd takes the units, with every setting that they have.
func testUnits(t *testing.T, root string) {
	const where = "usr/lib/systemd/user"
	dir := t.TempDir()
	for _, name := range []string{"rdd.service", "rdd@.service"} {
		unit, err := os.ReadFile(filepath.Join(root, where, name))
		if err != nil {
			t.Fatal(err)
		}
		// The program and its page are not where the package would put them.
		text := strings.ReplaceAll(string(unit), "/usr/bin/rdd", filepath.Join(root, "usr/bin/rdd"))
		text = strings.ReplaceAll(text, "man:rdd(1) ", "")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"rdd.service", "rdd@work.service"} {
		verify := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--user", "--man=no", filepath.Join(dir, name))
		verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "HOME="+dir)
		if said := outputOf(t, verify); said != "" {
			t.Errorf("systemd says of %s: %s", name, said)
		}
	}
}
