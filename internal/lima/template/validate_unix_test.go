// SPDX-License-Identifier: Apache-2.0

//go:build unix

package template

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobodyID is the ID of a user that every system has: limactl refuses to run as
// root.
const nobodyID = 65534

// TestLimaTakesThem makes limactl validate every expected template. limactl reports an
// unknown field only by a warning.
func TestLimaTakesThem(t *testing.T) {
	limactl, err := exec.LookPath("limactl")
	if named := os.Getenv("RDD_LIMACTL"); named != "" {
		limactl, err = named, nil
	}
	if err != nil {
		t.Skip("THE TEMPLATE IS NOT VALIDATED BY LIMA: there is no limactl in PATH, nor in RDD_LIMACTL")
	}
	home, err := os.MkdirTemp("", "rdd-lima-") // the directories of t.TempDir are closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	root := os.Getuid() == 0
	if root {
		if err := os.Chown(home, nobodyID, nobodyID); err != nil {
			t.Fatal(err)
		}
	}
	for name, options := range goldens() {
		t.Run(name, func(t *testing.T) {
			content, err := Template(options)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(home, name+".yaml")
			if err := os.WriteFile(file, content, 0o644); err != nil {
				t.Fatal(err)
			}
			validate := exec.CommandContext(t.Context(), limactl, "--tty=false", "validate", file)
			validate.Dir = home
			validate.Env = []string{"HOME=" + home, "LIMA_HOME=" + filepath.Join(home, "lima"), "PATH=" + os.Getenv("PATH")}
			if root {
				validate.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
			}
			var output bytes.Buffer
			validate.Stdout, validate.Stderr = &output, &output
			if err := validate.Run(); err != nil {
				t.Fatalf("limactl validate: %v\n%s", err, output.String())
			}
			for line := range strings.Lines(output.String()) {
				if strings.Contains(line, "level=warning") && !strings.Contains(line, "non-existent directory") {
					t.Error(line)
				}
			}
		})
	}
}
