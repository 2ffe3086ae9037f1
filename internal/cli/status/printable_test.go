// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// TestScreenIsSafeToShow: an engine's text reaches the terminal only escaped.
func TestScreenIsSafeToShow(t *testing.T) {
	t.Parallel()
	const bad = "a\x1b]0;t\a\u202eb\u009bc"
	var engine Engine
	engine.Namespace, engine.Name, engine.Status.EngineID = "ns", "moby", "id"
	engine.Spec.Endpoint = bad
	s := &Status{Service: &service.Status{}, Engines: []Engine{engine},
		Diagnostics: []diagnostics.Finding{{Message: bad, Title: bad, Remedy: bad}}}
	var out strings.Builder
	if err := s.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\a\u202e\u009b") || strings.Count(out.String(), `a\x1b]0;t\x07\u202eb\x9bc`) != 4 {
		t.Errorf("%q", out.String())
	}
}
