// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestEngineWithALongVersion: an engine whose version has 3 MB is connected, and the status has the beginning of it, safe to show.
func TestEngineWithALongVersion(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{Version: "\x1b[31m" + strings.Repeat("9", 3<<20)})
	e := newEnv(t, docker, engine.Endpoint())
	ce := e.connect("moby")
	if version := ce.Status.Version; len(version) > 1024 || !strings.HasPrefix(version, `\x1b[31m999`) || !strings.HasSuffix(version, "bytes)") {
		t.Errorf("a version of %d bytes: %.40q", len(version), version)
	}
	e.equal("moby")
}

// TestEngineWithALongError: of an error of 40 kB the condition has the beginning, and what the controller adds to it.
func TestEngineWithALongError(t *testing.T) {
	t.Parallel()
	words := "\x1b]0;title\a no" + strings.Repeat("!", 40_000)
	dir, err := os.MkdirTemp("", "rdd-t-") // short, for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "d.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": words})
	}))
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	e := newEnv(t, nil, "unix://"+socket)
	ce := e.create("moby", namespace)
	e.waitReason(ce, containersv1alpha1.ReasonConnectFailed)
	message := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady).Message
	if len(message) > 1024 || strings.ContainsAny(message, "\x1b\a\n") || !strings.Contains(message, `\x1b]0;title\x07 no!!!`) || !strings.Contains(message, "next try in") {
		t.Errorf("a message of %d bytes: %.80q … %.80q", len(message), message, message[max(0, len(message)-80):])
	}
}
