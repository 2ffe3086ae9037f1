// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// parsed returns a valid endpoint.
func parsed(t *testing.T, text string) endpoint.Endpoint {
	t.Helper()
	address, err := endpoint.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// material is a Secret with fixed content.
type material map[string][]byte

func (material) String() string { return "space/certs" }

func (m material) Read(context.Context) (map[string][]byte, error) { return m, nil }

func TestEndpointsThatNeverWork(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://host":                 "tcp://host:port",
		"tcp://:2376":                "tcp://host:port",
		"tcp://u:secret@host:2376":   "tcp://host:port",
		"tcp://host:65536":           "from 1 to 65535",
		"tcp://host:0":               "from 1 to 65535",
		"ssh://host:99999":           "from 1 to 65535",
		"unix://relative":            "must be absolute",
		"http://host:80":             "must begin with",
		"ssh://":                     "names no host",
		"ssh://-oProxyCommand=touch": "the host \"-oProxyCommand=touch\" must not begin with a dash",
		"ssh://-Fx@host":             "the user \"-Fx\" must not begin with a dash",
		"ssh://u%20-oX@host":         "characters that no user has",
		"ssh://u@$(touch%20x)":       "invalid",
		"ssh://u@a;b":                "characters that no host has",
		"ssh://u@`a`":                "invalid character",
		"ssh://u:secret@host":        "password is not supported",
		"ssh://host:-p":              "invalid port",
		"ssh://host/a%0Ab":           "control characters",
		"ssh://host/a?b":             "no query",
	} {
		_, err := New(Config{Endpoint: endpoint})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", endpoint, err, want)
		}
	}
	if _, err := New(Config{Endpoint: "unix:///a", Secret: material{}}); err == nil {
		t.Error("a Secret for a unix:// endpoint is taken")
	}
}

func TestSSHCommandLine(t *testing.T) {
	options := []string{"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-o", "ControlMaster=no"}
	for endpoint, want := range map[string][2][]string{
		"ssh://host":             {nil, {"--", "host", "docker system dial-stdio"}},
		"ssh://host/":            {nil, {"--", "host", "docker system dial-stdio"}},
		"ssh://u@host:2222":      {{"-l", "u", "-p", "2222"}, {"--", "host", "docker system dial-stdio"}},
		"ssh://u@[::1]/run/d.so": {{"-l", "u"}, {"--", "::1", "docker '--host=unix:///run/d.so' system dial-stdio"}},
		"ssh://h/a b;c'd":        {nil, {"--", "h", `docker "--host=unix:///a b;c'd" system dial-stdio`}},
	} {
		dialer, err := newSSHDialer(parsed(t, endpoint))
		if err != nil {
			t.Errorf("%s: %v", endpoint, err)
			continue
		}
		args := append(append(append([]string{}, want[0]...), options...), want[1]...)
		if diff := cmp.Diff(args, dialer.args); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", endpoint, diff)
		}
	}
}

// infoError asks an engine at an endpoint who it is, and returns the error.
func infoError(t *testing.T, cfg Config) error {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = e.Info(ctx)
	return err
}
