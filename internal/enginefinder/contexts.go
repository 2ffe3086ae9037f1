// SPDX-License-Identifier: Apache-2.0

package enginefinder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker/cli/cli/context/store"
	"github.com/moby/moby/client"
)

const (
	// configEnv is where the client's configuration is
	// (https://docs.docker.com/reference/cli/docker/#environment-variables).
	configEnv = "DOCKER_CONFIG"

	// dockerEndpoint is the name of a context's one endpoint.
	dockerEndpoint = "docker"

	// defaultContext is no context, but what the client does without one.
	defaultContext = "default"
)

// UserContexts are the contexts of Docker's client, as the user has them.
type UserContexts struct{ dir string }

// OpenContexts returns those that Docker's client would use. Nothing is read yet.
func OpenContexts(getenv func(string) string) (UserContexts, error) {
	if dir := getenv(configEnv); dir != "" {
		return UserContexts{dir}, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return UserContexts{}, fmt.Errorf("find the directory of Docker's client: %w", err)
	}
	return UserContexts{filepath.Join(home, ".docker")}, nil
}

// Current implements [Contexts].
func (c UserContexts) Current() (string, error) {
	path := filepath.Join(c.dir, "config.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var config struct{ CurrentContext string }
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return config.CurrentContext, nil
}

// Host implements [Contexts].
func (c UserContexts) Host(name string) (string, error) {
	if name == "" || name == defaultContext {
		return client.DefaultDockerHost, nil
	}
	type endpoint struct{ Host string }
	types := store.NewConfig(func() any { return &struct{}{} }, store.EndpointTypeGetter(dockerEndpoint, func() any { return &endpoint{} }))
	found, err := store.New(filepath.Join(c.dir, "contexts"), types).GetMetadata(name)
	if err != nil {
		return "", err
	}
	e, ok := found.Endpoints[dockerEndpoint].(endpoint)
	if !ok {
		return "", errors.New("it has no endpoint for Docker")
	}
	return e.Host, nil
}
