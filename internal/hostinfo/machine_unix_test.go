// SPDX-License-Identifier: Apache-2.0

//go:build unix

package hostinfo

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

const (
	moby       = rddv1alpha1.EngineMoby
	containerd = rddv1alpha1.EngineContainerd
)

// newPlaces returns an empty machine, in a directory with a short path, for sockets.
func newPlaces(t *testing.T) Places {
	t.Helper()
	dir, err := os.MkdirTemp("", "host")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	p := Places{
		Root: dir, Home: filepath.Join(dir, "home"), RuntimeDir: filepath.Join(dir, "run/user/1"),
		Limactl: limactl.Places{Path: filepath.Join(dir, "bin"), Programs: filepath.Join(dir, "rdd")},
	}
	for _, dir := range []string{p.Home, p.RuntimeDir, p.Limactl.Path, p.Limactl.Programs, filepath.Join(dir, "dev"), filepath.Join(dir, "var")} {
		must(t, os.MkdirAll(dir, 0o755))
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listen makes a socket.
func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func TestEnginesThatAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		sockets []string // below the root
		links   map[string]string
		files   []string
		docker  string // below the root
		want    []string
	}{
		"nothing": {},
		"Docker":  {sockets: []string{"var/run/docker.sock"}, want: []string{"moby var/run/docker.sock"}},
		"all, in order": {
			sockets: []string{
				"run/containerd/containerd.sock", "run/podman/podman.sock", "run/user/1/containerd/containerd.sock",
				"run/user/1/docker.sock", "run/user/1/podman/podman.sock", "var/run/docker.sock",
				"home/.docker/run/docker.sock", "home/.docker/desktop/docker.sock", "own.sock",
			},
			docker: "own.sock",
			want: []string{
				"moby own.sock", "moby var/run/docker.sock", "moby run/user/1/docker.sock", "moby home/.docker/run/docker.sock",
				"moby home/.docker/desktop/docker.sock", "moby run/user/1/podman/podman.sock", "moby run/podman/podman.sock",
				"containerd run/containerd/containerd.sock", "containerd run/user/1/containerd/containerd.sock",
			},
		},
		"two names of one socket": {
			sockets: []string{"run/podman/podman.sock"},
			links:   map[string]string{"var/run": "run", "run/docker.sock": "run/podman/podman.sock"},
			want:    []string{"moby var/run/docker.sock"},
		},
		"the usual one is the wanted one": {
			sockets: []string{"run/docker.sock"},
			links:   map[string]string{"var/run": "run"},
			docker:  "run/docker.sock",
			want:    []string{"moby run/docker.sock"},
		},
		"no sockets": {
			files: []string{"var/run/docker.sock", "run/containerd/containerd.sock"},
			links: map[string]string{"run/user/1/docker.sock": "nowhere"},
		},
		"wanted and not there": {docker: "gone.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaces(t)
			for _, socket := range c.sockets {
				listen(t, filepath.Join(p.Root, socket))
			}
			for _, file := range c.files {
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(p.Root, file)), 0o755))
				must(t, os.WriteFile(filepath.Join(p.Root, file), nil, 0o600))
			}
			for link, target := range c.links {
				must(t, os.Symlink(filepath.Join(p.Root, target), filepath.Join(p.Root, link)))
			}
			if c.docker != "" {
				p.DockerHost = "unix://" + filepath.Join(p.Root, c.docker)
			}
			var got []string
			for _, engine := range p.engines() {
				if !engine.Accessible || engine.Message != "" {
					t.Errorf("can't be reached: %+v", engine)
				}
				path, err := filepath.Rel("unix://"+p.Root, engine.Endpoint)
				must(t, err)
				got = append(got, string(engine.Type)+" "+path)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// TestOtherEndpointsAreNotLookedFor: only endpoints on this machine are reported.
func TestOtherEndpointsAreNotLookedFor(t *testing.T) {
	for _, host := range []string{"tcp://127.0.0.1:2375", "ssh://me@there", "unix://", "unix://relative.sock", "npipe:////./pipe/x", "/x.sock"} {
		p := Places{DockerHost: host}
		if got := p.candidates(); len(got) != 0 {
			t.Errorf("DOCKER_HOST=%s: %v", host, got)
		}
	}
}

// TestSocketsAreNotConnectedTo: a connection could start an engine.
func TestSocketsAreNotConnectedTo(t *testing.T) {
	p := newPlaces(t)
	path := filepath.Join(p.Root, "var/run/docker.sock")
	listener := listen(t, path)
	if len(p.engines()) != 1 {
		t.Fatal("the socket is not found")
	}
	mine, err := (&net.Dialer{}).DialContext(t.Context(), "unix", path)
	must(t, err)
	_, err = mine.Write([]byte("mine"))
	must(t, err)
	must(t, mine.Close())
	first, err := listener.Accept()
	must(t, err)
	defer func() { _ = first.Close() }()
	if data, err := io.ReadAll(first); string(data) != "mine" {
		t.Errorf("the first connection is not the test's: %q, %v", data, err)
	}
}
