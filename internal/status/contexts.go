// SPDX-License-Identifier: Apache-2.0

package status

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
)

// Contexts are those of Docker's client.
type Contexts struct {
	// Name is that of this instance's own context, and Endpoint where it leads to;
	// both are empty where there is none.
	Name     string `json:"name,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	// Current is the context that is used where none is named.
	Current string `json:"current"`
	// Overridden is the environment variable that counts more than that, here
	// and now; empty for none.
	Overridden string `json:"overridden,omitempty"`
}

// The environment of Docker's client
// (https://docs.docker.com/reference/cli/docker/#environment-variables).
const (
	dockerConfigEnv  = "DOCKER_CONFIG"
	dockerHostEnv    = "DOCKER_HOST"
	dockerContextEnv = "DOCKER_CONTEXT"

	defaultContext = "default"
)

// contexts reads the client's files. What can't be read is taken for absent, as
// the client itself says what is wrong with it.
func (r *Reader) contexts(o *diagnostics.Observed) *Contexts {
	dir := r.Getenv(dockerConfigEnv)
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		dir = filepath.Join(home, ".docker")
	}
	name := r.Instance.ContextName()
	c := &Contexts{Current: currentContext(dir), Endpoint: contextHost(dir, name)}
	if c.Endpoint != "" {
		c.Name = name
	}
	for _, variable := range []string{dockerContextEnv, dockerHostEnv} {
		if r.Getenv(variable) != "" {
			c.Overridden = variable
		}
	}
	if o.App != nil {
		o.Contexts = &diagnostics.Contexts{Name: o.App.Status.DockerContext, Want: o.App.Status.DockerSocket, Host: c.Endpoint, Current: c.Current}
	}
	return c
}

// currentContext returns what the file config.json says.
func currentContext(dir string) string {
	var config struct{ CurrentContext string }
	if data, err := os.ReadFile(filepath.Join(dir, "config.json")); err == nil {
		_ = json.Unmarshal(data, &config) // what it can't read it leaves
	}
	if config.CurrentContext == "" {
		return defaultContext
	}
	return config.CurrentContext
}

// contextHost returns where a context leads to. Its file is in a directory named
// for the digest of its name.
func contextHost(dir, name string) string {
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	digest := sha256.Sum256([]byte(name))
	data, err := os.ReadFile(filepath.Join(dir, "contexts", "meta", hex.EncodeToString(digest[:]), "meta.json"))
	if err != nil || json.Unmarshal(data, &meta) != nil {
		return ""
	}
	return meta.Endpoints["docker"].Host
}
