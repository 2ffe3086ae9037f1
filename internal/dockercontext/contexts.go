// SPDX-License-Identifier: Apache-2.0

// Package dockercontext maintains a Docker context for an engine: it creates the
// context, makes it the current one if the user's does not work, and reverts both.
package dockercontext

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/context/store"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const (
	// dirEnv names the directory of the client's configuration; the default is .docker
	// in the user's home directory
	// (https://docs.docker.com/reference/cli/docker/#environment-variables).
	dirEnv = "DOCKER_CONFIG"
	// hostEnv and contextEnv take precedence over the current context.
	hostEnv    = client.EnvOverrideHost
	contextEnv = "DOCKER_CONTEXT"

	// defaultContext stands for the client's behaviour without a context.
	defaultContext = "default"
	// dockerEndpoint is the name of a context's one endpoint.
	dockerEndpoint = "docker"
)

// ErrNoContext is the error of a context that does not exist.
var ErrNoContext = errors.New("no such Docker context")

// engineEndpoint is the endpoint of an engine in a context.
type engineEndpoint struct {
	Host          string `json:",omitempty"`
	SkipTLSVerify bool
}

// metadata is the metadata of a context.
type metadata struct {
	Description string `json:",omitempty"`
}

// contexts are the contexts of one user.
type contexts struct {
	dir    string
	config config
	store  *store.ContextStore
}

// open returns the contexts in a directory. It does not read or create files.
func open(dir string) *contexts {
	types := store.NewConfig(func() any { return &metadata{} }, store.EndpointTypeGetter(dockerEndpoint, func() any { return &engineEndpoint{} }))
	return &contexts{
		dir:    dir,
		config: config{path: filepath.Join(dir, configName)},
		store:  store.New(filepath.Join(dir, "contexts"), types),
	}
}

// Dir returns the directory of the user's contexts.
func Dir(getenv func(string) string) (string, error) {
	if dir := getenv(dirEnv); dir != "" {
		return filepath.Abs(dir)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the directory of Docker's client: %w", err)
	}
	return filepath.Join(home, ".docker"), nil
}

// Overridden returns the environment variable that overrides the current context;
// empty for none.
func Overridden(getenv func(string) string) string {
	for _, name := range []string{hostEnv, contextEnv} {
		if getenv(name) != "" {
			return name
		}
	}
	return ""
}

func isDefault(name string) bool { return name == "" || name == defaultContext }

// put creates or changes a context for an engine. files are for TLS; empty for a
// connection without TLS. A context that is up to date is not written.
func (c *contexts) put(ctx context.Context, name, description, host string, files tlsFiles) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	have, err := c.get(name)
	if err == nil && have.host == host && !have.skipVerify && have.files.equal(files) {
		return nil
	}
	err = c.write(name, description, host, files)
	if err == nil {
		err = owned.GiveAsBeside(c.dir, filepath.Dir(c.store.GetStorageInfo(name).MetadataPath), filepath.Dir(c.store.GetStorageInfo(name).TLSPath))
	}
	if err != nil {
		return fault.New(fault.Failed, "write the Docker context", name, owned.Explain(c.dir, named(err)))
	}
	return nil
}

// storeTemp begins the names of the store's temporary files; a random number ends
// them (github.com/moby/sys/atomicwriter).
const storeTemp = ".tmp-"

// named replaces the temporary file in an error of the store with the final one.
func named(err error) error {
	var link *os.LinkError
	var file *fs.PathError
	switch {
	case errors.As(err, &link):
		return atomicfile.Named(link.New, err)
	case errors.As(err, &file):
		if name, ok := strings.CutPrefix(filepath.Base(file.Path), storeTemp); ok {
			return atomicfile.Named(filepath.Join(filepath.Dir(file.Path), strings.TrimRight(name, "0123456789")), err)
		}
	}
	return err
}

func (c *contexts) write(name, description, host string, files tlsFiles) error {
	data := store.EndpointTLSData{Files: files}
	if len(files) > 0 { // before the metadata, without which the client does not find them
		if err := c.store.ResetEndpointTLSMaterial(name, dockerEndpoint, &data); err != nil {
			return err
		}
	}
	err := c.store.CreateOrUpdate(store.Metadata{
		Name:      name,
		Metadata:  metadata{Description: description},
		Endpoints: map[string]any{dockerEndpoint: engineEndpoint{Host: host}},
	})
	if err == nil && len(files) == 0 {
		err = c.store.ResetEndpointTLSMaterial(name, dockerEndpoint, nil)
	}
	return err
}

// remove removes a context. A context that does not exist is not an error.
func (c *contexts) remove(ctx context.Context, name string) error {
	if !c.has(name) {
		return nil
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.store.Remove(name); err != nil && !errdefs.IsNotFound(err) {
		return fault.New(fault.Failed, "remove the Docker context", name, err)
	}
	return nil
}

// has reports whether a context exists; an unreadable one does.
func (c *contexts) has(name string) bool {
	if isDefault(name) {
		return true
	}
	_, err := c.metadata(name)
	return !errdefs.IsNotFound(err)
}

// metadata reads a context without its certificates.
func (c *contexts) metadata(name string) (store.Metadata, error) {
	if err := checkFile(c.store.GetStorageInfo(name).MetadataPath, "meta.json"); err != nil {
		return store.Metadata{}, err
	}
	return c.store.GetMetadata(name)
}

// checkFile checks that a file is regular and not too large, which Docker's library
// does not. The library handles a file that does not exist.
func checkFile(elements ...string) error {
	path := filepath.Join(elements...)
	file, err := regular.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return owned.Explain(path, err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil && info.Size() > maxFile {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d bytes", maxFile)}
	}
	return err
}

// found is the connection in a context.
type found struct {
	host       string
	files      tlsFiles
	skipVerify bool
}

// get reads a context; the default one has the client's default endpoint.
func (c *contexts) get(name string) (found, error) {
	if isDefault(name) {
		return found{host: client.DefaultDockerHost}, nil
	}
	stored, err := c.metadata(name)
	if errdefs.IsNotFound(err) {
		return found{}, fault.New(fault.Failed, "read the Docker context", name, ErrNoContext)
	}
	if err != nil {
		return found{}, fault.New(fault.Failed, "read the Docker context", name, err)
	}
	e, ok := stored.Endpoints[dockerEndpoint].(engineEndpoint)
	if !ok {
		return found{}, fault.New(fault.Failed, "read the Docker context", name, errors.New("it has no endpoint for Docker"))
	}
	f := found{host: e.Host, skipVerify: e.SkipTLSVerify}
	if f.host == "" {
		f.host = client.DefaultDockerHost
	}
	if f.files, err = c.files(name); err != nil {
		return found{}, fault.New(fault.Failed, "read the certificates of the Docker context", name, err)
	}
	return f, nil
}

func (c *contexts) files(name string) (tlsFiles, error) {
	names, err := c.store.ListTLSFiles(name)
	if err != nil || len(names[dockerEndpoint]) == 0 {
		return nil, err
	}
	files := tlsFiles{}
	for _, file := range names[dockerEndpoint] {
		if err := checkFile(c.store.GetStorageInfo(name).TLSPath, dockerEndpoint, file); err != nil {
			return nil, err
		}
		if files[file], err = c.store.GetTLSData(name, dockerEndpoint, file); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// certificates returns the directory of a context's files for TLS.
func (c *contexts) certificates(name string) string {
	return filepath.Join(c.store.GetStorageInfo(name).TLSPath, dockerEndpoint)
}

// current returns the name of the current context as it is written; empty if there
// is none.
func (c *contexts) current() (string, error) { return c.config.current() }

// swap replaces the current context from by to, and reports whether it was from.
func (c *contexts) swap(ctx context.Context, from, to string) (bool, error) {
	unlock, err := c.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	return c.config.swap(from, to)
}
