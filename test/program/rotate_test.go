// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// answer is the status of a request by a client, 0 if none came.
func (h *home) answer(config *rest.Config) int {
	transport, err := rest.TransportFor(config)
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, config.Host+"/api/v1/namespaces", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// trusting returns the configuration without the check of the certificate, which is the
// attacker's.
func trusting(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.TLSClientConfig = rest.TLSClientConfig{Insecure: true}
	return config
}

// TestRotate: the old token is refused at once, also by connections that are open, and
// the objects, the port and how the daemon runs stay.
func TestRotate(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "app")
	h.ok("ctl", "create", "configmap", "kept", "-n", "default")
	old, before := h.config(), h.status()
	watch := h.command(t.Context(), filepath.Join(programs, "rdd"), "ctl", "get", "configmaps", "--watch", "-n", "default")
	var seen bytes.Buffer
	watch.Stdout = &seen
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = watch.Wait() // it fails, as it is cut off
	}()

	h.succeeds([]string{"new token", "rdd service config --file"}, "service", "rotate")
	if after := h.status(); !after.Ready || after.Address != before.Address || after.Controllers != before.Controllers {
		t.Errorf("it ran as %+v, and runs as %+v", before, after)
	}
	if got := h.answer(trusting(old)); got != http.StatusUnauthorized {
		t.Errorf("the old token: %d", got)
	}
	if got := h.answer(old); got != 0 {
		t.Errorf("the old authority vouches for the server: %d", got)
	}
	if got := h.answer(h.config()); got != http.StatusOK {
		t.Errorf("the new kubeconfig: %d", got)
	}
	h.ok("ctl", "get", "configmap", "kept", "-n", "default")
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("a watch by the old token goes on")
		_ = watch.Process.Kill()
	}

	// One that is stopped, too, and stays so.
	h.ok("service", "stop")
	old = h.config()
	h.ok("service", "rotate")
	if h.alive() || h.config().BearerToken == old.BearerToken {
		t.Errorf("alive: %v", h.alive())
	}
	h.ok("service", "start")
	if got := h.answer(trusting(old)); got != http.StatusUnauthorized {
		t.Errorf("the old token: %d", got)
	}

	// A reset has a new token, and the certificates that are valid.
	old = h.config()
	h.ok("service", "reset", "--yes")
	if got := h.answer(old); got != http.StatusUnauthorized {
		t.Errorf("the token from before the reset: %d", got)
	}
	if got := h.answer(h.config()); got != http.StatusOK {
		t.Errorf("the kubeconfig after the reset: %d", got)
	}
	newHome(t).fails(1, []string{"no instance"}, "service", "rotate")
}

// TestRotateIsKilled: a rotation that is killed at any moment leaves an instance that
// works.
func TestRotateIsKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "")
	for i := range rounds(t, 20, 3) {
		cmd := h.command(t.Context(), filepath.Join(programs, "rdd"), "service", "rotate")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(i)*70*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		h.ok("service", "start")
		h.ok("ctl", "get", "namespaces")
	}
}

// TestTwoRotateAtOnce: both succeed, one after the other.
func TestTwoRotateAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "app")
	var rotating sync.WaitGroup
	for range 2 {
		rotating.Go(func() { h.ok("service", "rotate") })
	}
	rotating.Wait()
	h.ok("ctl", "get", "namespaces")
}

// TestConfigFile: only the user can read the file, whatever was there before.
func TestConfigFile(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	file := filepath.Join(h.dir, "kubeconfig")
	for name, path := range map[string]string{"empty": "", "directory": h.dir, "no directory": filepath.Join(h.dir, "x", "y"),
		"standard output": "-", "the store": filepath.Join(h.path("dir"), "store.db"), "a key": filepath.Join(h.path("tls_dir"), "..", "tls", "ca.key"),
		"the instance's own": h.path("config"), "the short directory": filepath.Join(h.path("short_dir"), "x")} {
		h.fails(2, []string{"--file"}, "service", "config", "--file", path)
		if h.alive() {
			t.Errorf("%s: the daemon was started", name)
		}
	}
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(h.dir, "link")
	if err := os.Symlink(file, link); err == nil {
		h.fails(2, []string{"symbolic link"}, "service", "config", "--file", link)
	}
	if pipe := filepath.Join(h.dir, "pipe"); runtime.GOOS != "windows" {
		if err := exec.CommandContext(t.Context(), "mkfifo", pipe).Run(); err != nil {
			t.Fatal(err)
		}
		h.fails(2, []string{"regular file"}, "service", "config", "--file", pipe)
	}
	r := h.succeeds([]string{file}, "service", "config", "--file", file)
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode() != fs.FileMode(0o600) || r.stdout != "" {
		t.Errorf("%v, %v, and %q on standard output", info, err, r.stdout)
	}
	data, err := os.ReadFile(file)
	if err != nil || string(data) != h.ok("service", "config") {
		t.Errorf("the file has %s, %v", data, err)
	}
	h.ok("ctl", "--kubeconfig", file, "get", "namespaces")
}
