// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"testing"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// realEngine is Debian's Docker engine.
type realEngine struct {
	*dockerd.Engine
	t *testing.T
}

func (r realEngine) Restart(between func()) {
	r.Kill()
	between()
	r.Start()
}

func (r realEngine) AnotherImage() string {
	r.t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "a", Mode: 0o644}); err != nil {
		r.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	result, err := r.Client.ImageImport(r.t.Context(), client.ImageImportSource{Source: &archive, SourceName: "-"}, "", client.ImageImportOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = result.Close() }()
	var last struct{ Status string }
	for decoder := json.NewDecoder(result); decoder.More(); {
		if err := decoder.Decode(&last); err != nil {
			r.t.Fatal(err)
		}
	}
	return last.Status
}

func TestDockerd(t *testing.T) {
	engine := dockerd.Start(t, dockerd.Config{Network: true})
	runSuite(t, realEngine{engine, t}, engine.Client, features{ports: true, health: true, processes: true})
}
