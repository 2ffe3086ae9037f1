// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// FuzzParse: what is accepted survives a way through text, has the parts that its
// scheme needs, and has nothing that a program could take for an option.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"unix:///var/run/docker.sock", "unix://relative", "npipe:////./pipe/docker_engine", "tcp://host:2375", "tcp://[::1]:1/api",
		"ssh://u@host:22/run/docker.sock", "ssh://-oProxyCommand=x", "ssh://u%20@h", "ssh://u@[fe80::1%25eth0]", "file:///C:/a%3Fb", "file:////a", "file:///a//",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := endpoint.Parse(text)
		if err != nil {
			if e != (endpoint.Endpoint{}) {
				t.Errorf("%+v comes with the error %v", e, err)
			}
			return
		}
		if e.Scheme != endpoint.SchemeOf(text) || !strings.HasPrefix(text, e.Scheme.String()) {
			t.Errorf("the scheme of %q is %q", text, e.Scheme)
		}
		again, err := endpoint.Parse(e.String())
		if err != nil || again != e {
			t.Errorf("%q is %+v, and then %q is %+v: %v", text, e, e.String(), again, err)
		}
		remote := e.Scheme == endpoint.TCP || e.Scheme == endpoint.SSH
		if remote != (e.Host != "") || !remote && (e.Path == "" || e.User != "" || e.Port != "") || e.Local() && remote {
			t.Errorf("%q is %+v", text, e)
		}
		if strings.HasPrefix(e.Host, "-") && e.Scheme == endpoint.SSH || strings.HasPrefix(e.User, "-") {
			t.Errorf("%q has an option of ssh: %+v", text, e)
		}
	})
}
