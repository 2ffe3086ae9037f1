// SPDX-License-Identifier: Apache-2.0

// Package dockercontext keeps a context of Docker's client for an engine: it
// makes it, makes it the current one where the user has none that works, and
// takes all of that back.
package dockercontext

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/context/store"
	"github.com/gofrs/flock"
	"github.com/moby/moby/client"
)

const (
	// dirEnv is where the client's configuration is; by default it is in .docker
	// in the user's home directory
	// (https://docs.docker.com/reference/cli/docker/#environment-variables).
	dirEnv = "DOCKER_CONFIG"
	// hostEnv and contextEnv take precedence over the current context.
	hostEnv    = client.EnvOverrideHost
	contextEnv = "DOCKER_CONTEXT"

	// defaultContext is no context, but what the client does without one.
	defaultContext = "default"
	// dockerEndpoint is the name of a context's one endpoint.
	dockerEndpoint = "docker"

	lockName  = ".rdd.lock"
	lockRetry = 20 * time.Millisecond
)

// endpoint is how contexts say where an engine is.
type endpoint struct {
	Host          string `json:",omitempty"`
	SkipTLSVerify bool
}

// metadata is what else contexts have.
type metadata struct {
	Description string `json:",omitempty"`
}

// Contexts are those of one user.
type Contexts struct {
	dir    string
	config config
	store  *store.ContextStore
}

// Open returns the contexts in a directory. Nothing is read or made yet.
func Open(dir string) *Contexts {
	types := store.NewConfig(func() any { return &metadata{} }, store.EndpointTypeGetter(dockerEndpoint, func() any { return &endpoint{} }))
	return &Contexts{
		dir:    dir,
		config: config{path: filepath.Join(dir, configName)},
		store:  store.New(filepath.Join(dir, "contexts"), types),
	}
}

// Dir returns where the user's contexts are.
func Dir(getenv func(string) string) (string, error) {
	if dir := getenv(dirEnv); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the directory of Docker's client: %w", err)
	}
	return filepath.Join(home, ".docker"), nil
}

// Overridden returns the environment variable that chooses the engine whatever
// the current context is, empty for none.
func Overridden(getenv func(string) string) string {
	for _, name := range []string{hostEnv, contextEnv} {
		if getenv(name) != "" {
			return name
		}
	}
	return ""
}

// lock keeps other instances of RDD away until unlock is called.
func (c *Contexts) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(c.dir, lockName))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("lock %s: %w", c.dir, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// Put makes a context for an engine, or changes it. One that is as it should be
// is not written.
func (c *Contexts) Put(ctx context.Context, name, description, host string) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if have, err := c.Host(name); err == nil && have == host {
		return nil
	}
	err = c.store.CreateOrUpdate(store.Metadata{
		Name:      name,
		Metadata:  metadata{Description: description},
		Endpoints: map[string]any{dockerEndpoint: endpoint{Host: host}},
	})
	if err != nil {
		return fmt.Errorf("write the Docker context %s: %w", name, err)
	}
	return nil
}

// Remove removes a context. One that there is not is no error.
func (c *Contexts) Remove(ctx context.Context, name string) error {
	if _, err := c.store.GetMetadata(name); errdefs.IsNotFound(err) {
		return nil
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.store.Remove(name); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove the Docker context %s: %w", name, err)
	}
	return nil
}

// ErrNoContext says that there is no such context.
var ErrNoContext = errors.New("there is no such Docker context")

// Host returns where a context's engine is; the client's default for the
// default context.
func (c *Contexts) Host(name string) (string, error) {
	if name == "" || name == defaultContext {
		return client.DefaultDockerHost, nil
	}
	found, err := c.store.GetMetadata(name)
	if errdefs.IsNotFound(err) {
		return "", fmt.Errorf("%w: %s", ErrNoContext, name)
	}
	if err != nil {
		return "", fmt.Errorf("read the Docker context %s: %w", name, err)
	}
	switch e := found.Endpoints[dockerEndpoint].(type) {
	case endpoint:
		return e.Host, nil
	case *endpoint:
		return e.Host, nil
	}
	return "", fmt.Errorf("the Docker context %s has no endpoint for Docker", name)
}

// Secret returns the certificates of a context, under the names that the
// client's files have.
func (c *Contexts) Secret(name string) (map[string][]byte, error) {
	files, err := c.store.ListTLSFiles(name)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for _, file := range files[dockerEndpoint] {
		if data[file], err = c.store.GetTLSData(name, dockerEndpoint, file); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Current returns the name of the current context, empty for the default.
func (c *Contexts) Current() (string, error) {
	name, err := c.config.current()
	if name == defaultContext {
		name = ""
	}
	return name, err
}

// Switch makes to the current context where from is, and reports whether it did.
func (c *Contexts) Switch(ctx context.Context, from, to string) (bool, error) {
	unlock, err := c.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	if current, err := c.config.current(); err == nil && current == defaultContext && from == "" {
		from = defaultContext
	}
	return c.config.swap(from, to)
}
