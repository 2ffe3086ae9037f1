// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"testing"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// fakeEngine is the simulated engine.
type fakeEngine struct {
	*fakedocker.Server
	t *testing.T
}

func (f fakeEngine) Restart(between func()) {
	f.t.Helper()
	f.Stop()
	between()
	if err := f.Server.Restart(); err != nil {
		f.t.Fatal(err)
	}
}

func (f fakeEngine) AnotherImage() string { return f.AddImage() }

// newFake starts a simulated engine with the image that the suite needs, and a
// client for it.
func newFake(t *testing.T, cfg fakedocker.Config) (fakeEngine, *client.Client) {
	t.Helper()
	server := fakedocker.Run(t, cfg)
	server.AddImage(busyboxImage)
	docker, err := client.New(client.WithHost(server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	return fakeEngine{server, t}, docker
}
