// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli/context/store"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/sshd"
)

// docker runs Docker's client as the user.
func (u *user) docker(args ...string) string {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), long)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DOCKER_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, dirEnv+"="+u.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		u.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// checks compares the verdict on a context.
func (u *user) checks(name string, want verdict, words ...string) {
	u.t.Helper()
	got, err := u.contexts.check(u.t.Context(), name, long)
	if got != want {
		u.t.Errorf("%s: verdict %d, want %d: %v", name, got, want, err)
	}
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			u.t.Errorf("%s: %v does not say %q", name, err, word)
		}
	}
}

// TestTLSContexts: contexts with certificates are as Docker's client has them, in
// both directions.
func TestTLSContexts(t *testing.T) {
	authority, stranger := certs.New(t), certs.New(t)
	server, clientPair := authority.Server("127.0.0.1"), authority.Client()
	engine := dockerd.Start(t, dockerd.Config{TLS: &dockerd.TLS{CA: authority.Cert, Cert: server.Cert, Key: server.Key}})
	keys := map[string][]byte{"ca.crt": authority.Cert, "tls.crt": clientPair.Cert, "tls.key": clientPair.Key}

	u := newUser(t)
	u.has("missing", "")
	r := u.start(ours, u.memory(ours), nil)
	r.Want(&Target{Host: engine.TLSEndpoint(), Secret: certificates{"ours", keys}})
	u.must(r.settled())
	u.isCurrent(ours)
	if version := u.docker("version", "--format", "{{.Server.Version}}"); version == "" {
		t.Error("the client finds no engine")
	}
	u.checks(ours, answers)

	// The other instance finds it healthy.
	other := u.start("rancher-desktop-other", u.memory("other"), nil)
	other.up("unix:///nowhere")
	u.isCurrent(ours)
	other.down()
	r.down()

	files := tlsFiles{"ca.pem": stranger.Cert, "cert.pem": clientPair.Cert, "key.pem": clientPair.Key}
	u.must(u.contexts.put(t.Context(), "strange", "", engine.TLSEndpoint(), files))
	u.checks("strange", broken, "certificate")
	u.must(u.contexts.store.CreateOrUpdate(store.Metadata{Name: "strange", Metadata: metadata{},
		Endpoints: map[string]any{dockerEndpoint: engineEndpoint{Host: engine.TLSEndpoint(), SkipTLSVerify: true}}}))
	u.checks("strange", answers)
	u.must(u.contexts.put(t.Context(), "plain", "", engine.TLSEndpoint(), nil))
	u.checks("plain", broken)

	r.Want(&Target{Host: engine.TLSEndpoint(), Secret: certificates{"empty", nil}})
	if err := r.settled(); err == nil || !strings.Contains(err.Error(), "no certificates") {
		t.Errorf("a Secret without certificates: %v", err)
	}
}

// TestPut: a context changes in all that it says, and one that is as it should be
// is not written.
func TestPut(t *testing.T) {
	u := newUser(t)
	with := tlsFiles{"ca.pem": []byte("a")}
	for _, files := range []tlsFiles{nil, with, {"ca.pem": []byte("b"), "key.pem": []byte("k")}, with, nil} {
		u.must(u.contexts.put(t.Context(), "x", "", "tcp://127.0.0.1:1", files))
		if f, err := u.contexts.get("x"); err != nil || !maps.EqualFunc(f.files, files, bytes.Equal) {
			t.Errorf("%v became %+v: %v", files, f, err)
		}
	}
	path := u.docker("context", "inspect", "x", "--format", "{{.Storage.MetadataPath}}") + "/meta.json"
	before, err := os.Stat(path)
	u.must(err)
	u.must(u.contexts.put(t.Context(), "x", "", "tcp://127.0.0.1:1", nil))
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("a context that was as it should be is written: %v", err)
	}
}

// TestSSHContexts: a context over SSH is asked as Docker's client would ask; where
// only its user could log in it stays the current one; no process is left.
func TestSSHContexts(t *testing.T) {
	server := sshd.Start(t)
	engine := dockerd.Start(t, dockerd.Config{})
	_, socket, _ := strings.Cut(engine.Endpoint(), "://")
	u := newUser(t)
	u.has("remote", server.Endpoint(socket))
	u.checks("remote", answers)

	server.Lock()
	u.checks("remote", unsure, "Permission denied")
	server.Unlock()
	server.Forget()
	u.checks("remote", unsure, "Host key verification failed")
	r := u.start(ours, u.memory(ours), nil)
	r.up(engine.Endpoint())
	u.isCurrent("remote")
	r.down()
	server.Remember()

	u.has("nothing", server.Endpoint("/nowhere/d.sock"))
	u.checks("nothing", broken)
	black, connected := hole(t)
	_, socket, _ = strings.Cut(black, "://")
	u.has("remote", server.Endpoint(socket))
	r.Want(&Target{Host: engine.Endpoint()})
	connected()
	r.down()
	u.isCurrent("remote")
	for deadline := time.Now().Add(long); len(server.Clients()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("ssh processes are left: %v", server.Clients())
		}
	}
}
