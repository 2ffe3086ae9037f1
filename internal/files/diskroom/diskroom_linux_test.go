// SPDX-License-Identifier: Apache-2.0

package diskroom_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/diskroom"
)

// TestExplain: on a full file system, every error that it may cause names it.
func TestExplain(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a file system is to be mounted, which only root can do: run the tests as root")
	}
	dir, roomy := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	full := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600)
	if full == nil {
		t.Fatal("the file system is not full")
	}
	for _, err := range []error{
		full,
		errors.New("database or disk is full (13)"),
		errors.New("disk I/O error (4874)"),
		fault.New(fault.Deadline, "wait", "", fmt.Errorf("%w: %w", full, context.DeadlineExceeded)),
	} {
		got := diskroom.Explain(err, roomy, dir)
		if fault.KindOf(got) != fault.Failed || !strings.HasPrefix(got.Error(), "no space left on "+dir+": RDD needs about ") {
			t.Errorf("%v is %v", err, got)
		}
	}
	for _, err := range []error{nil, errors.New("disk I/O error (4874)"), errors.New("refused")} {
		if got := diskroom.Explain(err, roomy); !errors.Is(got, err) {
			t.Errorf("%v is %v", err, got)
		}
	}
}
