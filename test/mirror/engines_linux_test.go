// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"testing"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// realEngine is a program of its own.
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

// realEngines are those that the suite runs against.
func realEngines() []engineCase {
	return []engineCase{
		{
			name:  "DebianContainerd",
			start: startContainerd(containerd.Debian),
			has:   features{processes: true, unreadInput: true, importEvents: true, pulls: false}, // it is older than the service that pulls
		},
		{
			name:  "NewestContainerd",
			start: startContainerd(containerd.Newest),
			has:   features{processes: true, unreadInput: true, importEvents: true, pulls: true, pullProgress: true},
		},
		{
			name:  "Debian",
			start: startReal(dockerd.Debian),
			has: features{
				api: true, pulls: true, ports: true, health: true, processes: true, unreadInput: true, update: true, importEvents: true, commitEvents: true, pullProgress: true,
				platforms: false, // it has the image store from before containerd's
				networks:  true, networkEvents: true, networkPrune: true,
				defaultNetwork: "bridge", networkPredefined: "pre-defined", networkInUse: "active endpoints",
			},
		},
		{
			name:  "Newest",
			start: startReal(dockerd.Newest),
			has: features{
				api: true, pulls: true, ports: true, health: true, processes: true, unreadInput: true, update: true, importEvents: true, commitEvents: true,
				platforms: true, pullProgress: true,
				networks: true, networkEvents: true, networkPrune: true,
				defaultNetwork: "bridge", networkPredefined: "pre-defined", networkInUse: "active endpoints",
			},
		},
		{
			name:  "Podman",
			start: startReal(dockerd.Podman),
			has: features{
				api: true, pulls: true, ports: true,
				health:       false, // systemd's timers make the checks, and the tests have no systemd
				processes:    true,
				unreadInput:  false, // Podman 4 ends an exec's output when it can't write its input
				update:       false, // Podman 4 has no such call
				importEvents: false, // nor does it tell of images that come out of an archive
				platforms:    false, // it keeps those of one platform
				pullProgress: false, // it names the layers only
				networks:     true, networkPrune: true,
				networkEvents:  false, // nor of networks that come and go
				defaultNetwork: "bridge", networkPredefined: "default network", networkInUse: "associated containers",
			},
		},
	}
}

func startReal(program dockerd.Program) func(*testing.T) subject {
	return func(t *testing.T) subject {
		engine := dockerd.Start(t, dockerd.Config{Program: program, Network: true})
		return dockerSubject(realEngine{engine, t}, engine.Client)
	}
}
