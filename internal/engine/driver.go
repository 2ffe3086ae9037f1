// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// Traits are what RDD knows of all engines of a type before it connects to one. Only the
// type is required: with nothing else, RDD mirrors such an engine, but neither looks for
// one nor offers it to Docker's clients.
type Traits struct {
	// Type is the value of spec.type in a ContainerEngine. The App and the HostInfo
	// use the same word.
	Type containersv1alpha1.EngineType
	// IsDockerAPI is whether Docker's clients can use such an engine.
	IsDockerAPI bool
	// Schemes are those of its endpoints. Empty for any.
	Schemes []endpoint.Scheme
	// SecretSchemes are the schemes that a Secret can be used with.
	SecretSchemes []endpoint.Scheme
	// KeepsUsed are the kinds of objects that such an engine does not remove, unless
	// forced, while another object uses them.
	KeepsUsed []Kind
	// Socket is the file name of the engine's socket in RDD's own virtual machine; empty
	// if the virtual machine can't run such an engine.
	Socket string
	// Places are where such engines usually listen on Unix, the most usual first, and
	// Pipes the names of their pipes on Windows.
	Places []Place
	Pipes  []string
	// Service is the name of its service in systemd and Windows, and Commands are the
	// commands of its own client.
	Service  string
	Commands Commands
}

// Place is where engines of a type usually have their socket.
type Place struct {
	Base Base
	Path string // relative to Base, with slashes
}

// Base is a directory of this machine or its user.
type Base int

// The directories.
const (
	Root       Base = iota // of the file system
	Home                   // of the user
	RuntimeDir             // XDG_RUNTIME_DIR: of the user, while logged in
)

// Commands are the commands that remedies name. {endpoint} and {path} stand for the
// engine's endpoint and the path of its socket, {sudo} for the prefix of a command that
// requires root. An empty command does not exist.
type Commands struct {
	// Version shows whether the engine answers.
	Version string
	// Desktop is the program that usually runs it on macOS and Windows.
	Desktop string
	// Rootless starts the user's own engine.
	Rootless string
	// Kill ends a container by force.
	Kill string
	// Usage says how to show and free the space that the engine uses.
	Usage string
	// Share says how to give the socket to a group.
	Share string
}

// Open opens the engine that a ContainerEngine names, with the Secret that the spec
// names, nil for none. It does not wait for the engine. An error is permanent: the driver
// does not support the endpoint.
type Open func(spec containersv1alpha1.ContainerEngineSpec, secret Secret) (Engine, error)

// Driver is the code for engines of one type.
type Driver struct {
	Traits
	Open Open
}

// Drivers is a registry: code that depends on the type of an engine asks it. The package
// open has the registry of the built-in drivers.
type Drivers []Driver

// Of returns the driver for a type. For an unknown type it has no Open.
func (d Drivers) Of(kind containersv1alpha1.EngineType) Driver {
	if i := d.index(kind); i >= 0 {
		return d[i]
	}
	return Driver{Traits: Traits{Type: kind}}
}

// With returns a registry with the driver, which replaces a driver for the same type.
func (d Drivers) With(driver Driver) Drivers {
	all := slices.Clone(d)
	if i := all.index(driver.Type); i >= 0 {
		all[i] = driver
		return all
	}
	return append(all, driver)
}

// Types returns the types in the order of the registry.
func (d Drivers) Types() []string {
	types := make([]string, len(d))
	for i := range d {
		types[i] = string(d[i].Type)
	}
	return types
}

// Open opens an engine of any type in the registry, as [Open] does for one type.
func (d Drivers) Open(spec containersv1alpha1.ContainerEngineSpec, secret Secret) (Engine, error) {
	driver := d.Of(spec.Type)
	if driver.Open == nil {
		return nil, fmt.Errorf("this version of rdd can't connect to engines of the type %s; it can to %s", spec.Type, strings.Join(d.Types(), ", "))
	}
	return driver.Open(spec, secret)
}

func (d Drivers) index(kind containersv1alpha1.EngineType) int {
	return slices.IndexFunc(d, func(driver Driver) bool { return driver.Type == kind })
}
