// SPDX-License-Identifier: Apache-2.0

//go:build unix

package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// TestPlantedStore: a store outside of the instance's directories that others may
// change is neither opened nor removed.
func TestPlantedStore(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(file, elsewhere string) error
		says  string
	}{
		"where others write": {func(file, _ string) error { return os.Chmod(filepath.Dir(file), 0o777) }, "can be written by other users"},
		"as a link":          {func(file, elsewhere string) error { return os.Symlink(elsewhere, file) }, "is a link to"},
		"a log as a link":    {func(file, elsewhere string) error { return os.Symlink(elsewhere, file+"-wal") }, "is a link to"},
	} {
		t.Run(name, func(t *testing.T) {
			file, elsewhere := filepath.Join(t.TempDir(), "objects.db"), filepath.Join(t.TempDir(), "precious")
			if err := errors.Join(os.WriteFile(elsewhere, []byte("x"), 0o600), test.plant(file, elsewhere)); err != nil {
				t.Fatal(err)
			}
			inst, err := instance.In("x", t.TempDir(), func(string) string { return "" })
			if err != nil {
				t.Fatal(err)
			}
			place := Place{Instance: inst, Endpoint: datastore.Endpoint{Address: datastore.NewAddress("sqlite://" + file)}, Log: slog.New(slog.DiscardHandler)}
			if place.Endpoint.Path() != file {
				t.Fatalf("the store is at %q", place.Endpoint.Path())
			}
			opened, openErr := place.Open(t.Context())
			if openErr == nil {
				opened.Close()
			}
			for what, err := range map[string]error{"Open": openErr, "Erase": place.Erase(t.Context())} {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %v; want %q", what, err, test.says)
				}
			}
			if content, err := os.ReadFile(elsewhere); err != nil || string(content) != "x" {
				t.Errorf("elsewhere there is %q, %v", content, err)
			}
		})
	}
}
