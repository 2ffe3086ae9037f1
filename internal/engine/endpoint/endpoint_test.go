// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]endpoint.Endpoint{
		"unix:///var/run/docker.sock":       {Scheme: endpoint.Unix, Path: "/var/run/docker.sock"},
		"unix:///a b%20?#":                  {Scheme: endpoint.Unix, Path: "/a b%20?#"},
		"npipe:////./pipe/docker_engine":    {Scheme: endpoint.NPipe, Path: "//./pipe/docker_engine"},
		"tcp://host:2375":                   {Scheme: endpoint.TCP, Host: "host", Port: "2375"},
		"tcp://[::1]:2375/api":              {Scheme: endpoint.TCP, Host: "::1", Port: "2375", Path: "/api"},
		"ssh://host":                        {Scheme: endpoint.SSH, Host: "host"},
		"ssh://u@host:22/run/docker.sock":   {Scheme: endpoint.SSH, User: "u", Host: "host", Port: "22", Path: "/run/docker.sock"},
		"ssh://u@[fe80::1%25eth0]/run/d.so": {Scheme: endpoint.SSH, User: "u", Host: "fe80::1%eth0", Path: "/run/d.so"},
		"file:///world.yaml":                {Scheme: endpoint.File, Path: "/world.yaml"},
		"file:///a%3Fb/../c%23":             {Scheme: endpoint.File, Path: "/c#"},
	} {
		got, err := endpoint.Parse(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", text, err, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "it must begin with unix://, npipe://, tcp://, ssh:// or file://",
		"/var/run/docker.sock":         "it must begin with",
		"http://host:80":               "it must begin with",
		"UNIX:///a":                    "it must begin with",
		"unix:/a":                      "it must begin with",
		"unix://":                      "must be absolute",
		"unix://relative":              "must be absolute",
		"npipe://":                     "it must be npipe:////./pipe/name",
		"npipe:///pipe/name":           "it must be npipe:////./pipe/name",
		"tcp://host":                   "tcp://host:port",
		"tcp://:2376":                  "tcp://host:port",
		"tcp://host:2376?a":            "tcp://host:port",
		"tcp://host:65536":             "from 1 to 65535",
		"tcp://host:0":                 "from 1 to 65535",
		"tcp://::1":                    "in brackets",
		"ssh://u@::1:22":               "in brackets",
		"ssh://":                       "names no host",
		"ssh://u@:22":                  "names no host",
		"ssh://host:0":                 "from 1 to 65535",
		"ssh://-Fx@host":               `the user "-Fx" must not begin with a dash`,
		"ssh://-oProxyCommand=touch":   `the host "-oProxyCommand=touch" must not begin with a dash`,
		"ssh://u@a;b":                  "characters that no host has",
		"ssh://host/a%0Ab":             "control characters",
		"ssh://host/a?b":               "no query",
		"ssh://u:hush@host":            "password is not supported",
		"ssh://u:hush@host:port":       "invalid port",
		"file:":                        "it must begin with",
		"file://host/a":                "it must be file:///path",
		"file:///a?b":                  "%3F",
		"file:///a#b":                  "%23",
		"file:///%zz":                  "invalid URL escape",
		"tcp://u:hush@host:2376":       "it must be tcp://host:port",
		"tcp://u:hush@host:2376:oh no": "invalid",
	} {
		_, err := endpoint.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
	if _, err := endpoint.Parse("ssh://host", endpoint.Unix); err == nil || err.Error() != "it must begin with unix://" {
		t.Errorf("ssh where only a socket is allowed: %v", err)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	if got := endpoint.ForSocket("/run/docker.sock"); got != "unix:///run/docker.sock" {
		t.Error(got)
	}
	if got := endpoint.ForPipe("docker_engine"); got != "npipe:////./pipe/docker_engine" {
		t.Error(got)
	}
	for text, want := range map[string]string{
		"unix:///run/docker.sock": "/run/docker.sock", "npipe:////./pipe/a": "", "unix:": "", "unix://a": "", "tcp://a:1": "", "": "",
	} {
		if got := endpoint.SocketPath(text); got != want {
			t.Errorf("the socket of %s is %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"npipe:////./pipe/a": "a", "npipe:////host/pipe/a": "", "unix:///a": "", "": ""} {
		if got := endpoint.PipeName(text); got != want {
			t.Errorf("the pipe of %s is %q, want %q", text, got, want)
		}
	}
}
