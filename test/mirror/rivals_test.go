// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestOneSocketByTwoPaths: a socket is one endpoint, however its path is written.
func TestOneSocketByTwoPaths(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	socket := strings.TrimPrefix(engine.Endpoint(), "unix://")
	link := filepath.Join(t.TempDir(), "link")
	e.must(os.Symlink(filepath.Dir(socket), link))
	for name, path := range map[string]string{
		"dotted": filepath.Dir(socket) + "/./" + filepath.Base(socket),
		"linked": filepath.Join(link, filepath.Base(socket)),
	} {
		second := e.createWith(name, namespace, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = "unix://" + path })
		e.waitReason(second, containersv1alpha1.ReasonConflict)
		if mirrors := e.mirrorSide(name); len(mirrors) != 0 {
			t.Errorf("%s: the later one mirrors: %v", name, mirrors)
		}
	}
	e.equal("moby")
}

// TestBecomingARival: one that is moved to another's endpoint keeps no mirrors of
// the engine that it had, as nothing keeps them true.
func TestBecomingARival(t *testing.T) {
	t.Parallel()
	e, _ := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	e.nextSecond()
	other, _ := newFake(t, fakedocker.Config{})
	second := e.createWith("second", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = other.Endpoint() })
	e.waitReason(second, containersv1alpha1.ReasonConnected)
	if len(e.mirrorSide("second")) == 0 {
		t.Fatal("the second one mirrors nothing")
	}
	e.update(second, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = e.endpoint })
	e.waitReason(second, containersv1alpha1.ReasonConflict)
	e.eventually("its mirrors are gone", func() (bool, string) {
		mirrors := e.mirrorSide("second")
		return len(mirrors) == 0, fmt.Sprint(mirrors)
	})
	e.equal("moby")
}

// TestUnknownContainerBesideARival: a question about a container that no engine has is
// answered at once. A rival has no session, and is not waited for as an engine that is
// about to connect.
func TestUnknownContainerBesideARival(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	server := e.endpoints()
	asked := func(when string) {
		t.Helper()
		began := time.Now()
		if _, code := dialLogs(t, server, "nosuch", ""); code != http.StatusNotFound {
			t.Errorf("%s: the answer is %d", when, code)
		}
		// An engine that connects is waited for 10 s.
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: the answer took %s", when, took)
		}
	}
	asked("alone")
	rival := e.createWith("rival", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = engine.Endpoint() })
	e.waitReason(rival, containersv1alpha1.ReasonConflict)
	asked("beside a rival")
}

// nextSecond waits until objects that are created now are younger than the existing ones.
func (e *env) nextSecond() {
	e.t.Helper()
	now := time.Now().Unix()
	e.eventually("a second has passed", func() (bool, string) { return time.Now().Unix() > now, "" })
}
