// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// TestDockerVariables: a command is led to the instance's engine, by its context
// where the user has that, and to no other.
func TestDockerVariables(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	inst, err := instance.New("test")
	if err != nil {
		t.Fatal(err)
	}
	name := inst.ContextName()
	meta := filepath.Join(dir, "contexts", "meta", fmt.Sprintf("%x", sha256.Sum256([]byte(name))), "meta.json")
	if err := os.MkdirAll(filepath.Dir(meta), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(meta, fmt.Appendf(nil, `{"Name": %q, "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///s"}}}`, name), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &appSession{service: &service.Service{Instance: inst}}
	for title, test := range map[string]struct {
		status        appv1alpha1.AppStatus
		context, host string
	}{
		"a context":               {appv1alpha1.AppStatus{DockerContext: name, DockerSocket: "unix:///s"}, name, ""},
		"none":                    {appv1alpha1.AppStatus{DockerSocket: "unix:///s"}, "", "unix:///s"},
		"one that is not here":    {appv1alpha1.AppStatus{DockerContext: "other", DockerSocket: "unix:///s"}, "", "unix:///s"},
		"an engine without a way": {appv1alpha1.AppStatus{}, name, ""},
	} {
		got := a.dockerVariables(&appv1alpha1.App{Status: test.status})
		host, known := got["DOCKER_HOST"]
		if got["DOCKER_CONTEXT"] != test.context || host != test.host || !known {
			t.Errorf("%s: %v", title, got)
		}
		if value, known := got["DOCKER_TLS_VERIFY"]; !known || value != "" {
			t.Errorf("%s: TLS is left to the user's environment", title)
		}
	}
}
