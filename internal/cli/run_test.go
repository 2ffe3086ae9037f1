// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// TestDockerVariables: a command uses the instance's engine, with its context if the
// user has it, and no other engine.
func TestDockerVariables(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	inst, err := instance.In("test", t.TempDir(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	name := inst.ContextName()
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, "contexts", path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join("meta", digest, "meta.json"), fmt.Sprintf(`{"Name": %q, "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://h:1"}}}`, name))
	vm := appv1alpha1.AppSpec{}
	endpoint := appv1alpha1.AppSpec{}
	endpoint.ContainerEngine.Endpoint = "tcp://h:1"
	none := "unix://" + inst.DockerSocket()
	check := func(title string, app appv1alpha1.App, host, context, certs, socket string) {
		t.Helper()
		got := dockerVariables(inst, &app)
		want := map[string]string{"DOCKER_HOST": host, "DOCKER_CONTEXT": context, "DOCKER_CERT_PATH": certs, "DOCKER_TLS_VERIFY": "",
			"TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE": socket}
		if certs != "" {
			want["DOCKER_TLS_VERIFY"] = "1"
		}
		for _, name := range elsewhere {
			want[name] = ""
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", title, got, want)
		}
	}
	both := appv1alpha1.AppStatus{DockerContext: name, DockerSocket: "tcp://h:1"}
	check("a context", appv1alpha1.App{Spec: endpoint, Status: both}, "tcp://h:1", name, "", "")
	check("a virtual machine", appv1alpha1.App{Spec: vm, Status: both}, "tcp://h:1", name, "", "/var/run/docker.sock")
	check("no context", appv1alpha1.App{Spec: endpoint, Status: appv1alpha1.AppStatus{DockerSocket: "tcp://h:1"}}, "tcp://h:1", "", "", "")
	check("a context that is not here", appv1alpha1.App{Spec: endpoint,
		Status: appv1alpha1.AppStatus{DockerContext: "other", DockerSocket: "tcp://h:1"}}, "tcp://h:1", "", "", "")
	check("an engine without Docker's API", appv1alpha1.App{Spec: endpoint}, none, "", "", "")

	certs := filepath.Join("tls", digest, "docker")
	write(filepath.Join(certs, "ca.pem"), "")
	app := appv1alpha1.App{Spec: endpoint, Status: both}
	check("TLS", app, "tcp://h:1", name, filepath.Join(dir, "contexts", certs), "")
	for program, refused := range map[string]bool{"/usr/bin/docker": false, "docker-compose": false, "bash": true} {
		if note := unreachable(dockerVariables(inst, &app), program); (note != "") != refused {
			t.Errorf("without a client's certificate, %s: %q", program, note)
		}
	}
	write(filepath.Join(certs, "cert.pem"), "")
	write(filepath.Join(certs, "key.pem"), "")
	if note := unreachable(dockerVariables(inst, &app), "bash"); note != "" {
		t.Errorf("with a client's certificate: %q", note)
	}
}
