// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"strings"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/finder"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

const (
	tlsVerifyEnv    = "DOCKER_TLS_VERIFY"
	certPathEnv     = "DOCKER_CERT_PATH"
	guestSocketEnv  = "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE"
	guestSocketPath = "/var/run/docker.sock"
)

// elsewhere are further variables that select an engine. The caller's values are
// removed, because they select another engine.
var elsewhere = []string{
	"DOCKER_TLS",
	"BUILDX_BUILDER",                                             // docker build
	"CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY", // podman
	"TESTCONTAINERS_HOST_OVERRIDE",
}

// dockerVariables returns the variables that connect Docker clients to the App's
// engine; an empty value means that the variable must not be set. SDKs read only
// DOCKER_HOST, and the docker command prefers it, without a warning, to
// DOCKER_CONTEXT, which is for programs that read contexts themselves.
func dockerVariables(inst *instance.Instance, app *appv1alpha1.App) map[string]string {
	variables := map[string]string{
		// If the engine has no Docker API, nothing listens there: clients fail
		// instead of using another engine.
		finder.HostEnv:    endpoint.ForSocket(inst.DockerSocket()),
		finder.ContextEnv: "",
		tlsVerifyEnv:      "",
		certPathEnv:       "",
		guestSocketEnv:    "",
	}
	for _, name := range elsewhere {
		variables[name] = ""
	}
	if app.Spec.ContainerEngine.Endpoint == "" {
		// Containers that mount the socket run in the virtual machine, in which it
		// has another path.
		variables[guestSocketEnv] = guestSocketPath
	}
	if app.Status.DockerSocket == "" {
		return variables
	}
	variables[finder.HostEnv] = app.Status.DockerSocket
	name := app.Status.DockerContext
	if name == "" {
		return variables
	}
	// The daemon may have written the context to another directory than the caller's.
	if contexts, err := dockercontext.Open(os.Getenv); err == nil {
		if _, err := contexts.Host(name); err == nil {
			variables[finder.ContextEnv] = name
		}
	}
	if dir, err := dockercontext.Dir(os.Getenv); err == nil {
		if certs := dockercontext.Observe(dir, name, inst.ContextMemory()).Certificates; certs != "" {
			variables[certPathEnv], variables[tlsVerifyEnv] = certs, "1"
		}
	}
	return variables
}

// unreachable explains why clients other than the docker command can't reach the
// engine; empty if they can, or if program is the docker command.
func unreachable(variables map[string]string, program string) string {
	host, certs := variables[finder.HostEnv], variables[certPathEnv]
	switch {
	case strings.HasPrefix(filepath.Base(program), "docker"):
		return ""
	case endpoint.SchemeOf(host) == endpoint.SSH:
		return "only the docker command can connect to " + host + ": other Docker API clients don't support ssh; " +
			"forward a socket (`ssh -L`) and set containerEngine.endpoint to it"
	case certs != "" && !hasFiles(certs, "cert.pem", "key.pem"):
		return "only the docker command can connect to " + host + ": other Docker API clients require a client certificate, which the engine's Secret lacks"
	}
	return ""
}

func hasFiles(dir string, names ...string) bool {
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
