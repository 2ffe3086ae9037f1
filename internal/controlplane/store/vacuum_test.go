// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/client/v3/kubernetes"
)

// TestACompactionGivesBack what was deleted to the file system.
func TestACompactionGivesBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(t.Context(), Config{File: file, Version: "test", uncompacted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	large := strings.Repeat("x", 64<<10)
	for i := range 100 {
		key := fmt.Sprint("/registry/", i)
		revision := put(t, c.KV, key, large, 0)
		deleted, err := c.OptimisticDelete(t.Context(), key, revision, kubernetes.DeleteOptions{GetOnFailure: true})
		if err != nil || !deleted.Succeeded {
			t.Fatalf("delete %s: %+v, %v", key, deleted, err)
		}
	}
	revision := int64(0)
	for range compactMinRetain {
		revision = put(t, c.KV, "/registry/small", "", revision)
	}
	if err := s.dialect.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	full := size(t, file)
	if _, err := s.backend.Compact(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	if left := size(t, file); left > full/10 {
		t.Errorf("of %d bytes, nearly all of which were deleted, %d are left", full, left)
	}
	if log := size(t, file+"-wal"); log != 0 {
		t.Errorf("the log has %d bytes, want none", log)
	}
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
