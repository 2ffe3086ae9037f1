// SPDX-License-Identifier: Apache-2.0

// Package datastore describes where an instance's objects are stored, if not in its own
// file: an etcd, or a database with a driver in kine.
package datastore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Environment variables of users and, the last one, of the daemon for rdd-datastore.
const (
	EndpointEnv = "RDD_DATASTORE_ENDPOINT"
	CAFileEnv   = "RDD_DATASTORE_CAFILE"
	CertFileEnv = "RDD_DATASTORE_CERTFILE"
	KeyFileEnv  = "RDD_DATASTORE_KEYFILE"
	ListenerEnv = "RDD_DATASTORE_LISTENER"
)

// EmulatedVersion is the version of an etcd with watch progress requests.
const EmulatedVersion = "3.6.11"

// Program is the program that serves etcd's protocol for a database.
const Program = "rdd-datastore"

// Kind is the way to a datastore.
type Kind int

// The kinds.
const (
	File     Kind = iota // a SQLite file that the daemon opens
	Etcd                 // an etcd that the daemon connects to
	Database             // a database, through rdd-datastore
)

// kinds are the schemes that kine supports.
var kinds = map[string]Kind{
	"sqlite": File,
	"http":   Etcd, "https": Etcd, "unix": Etcd, "unixs": Etcd,
	"postgres": Database, "postgresql": Database, "mysql": Database, "nats": Database, "jetstream": Database,
	"memory": Database,
}

// Endpoint describes a datastore. The zero value is the instance's own file.
type Endpoint struct {
	Address Address
	// The files for TLS with the datastore, with absolute paths.
	CAFile   string
	CertFile string
	KeyFile  string
}

// Saved is an endpoint with all secrets, for a file that only the user may read.
type Saved struct {
	URL      string `json:"endpoint,omitempty"`
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
}

// Save returns the endpoint with its secrets.
func (e Endpoint) Save() Saved {
	return Saved{URL: e.Address.Reveal(), CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile}
}

// Endpoint returns the saved endpoint, which may no longer be valid.
func (s Saved) Endpoint() Endpoint {
	return Endpoint{Address: NewAddress(s.URL), CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile}
}

// FromEnv returns the endpoint in the environment; the zero value if there is none.
func FromEnv() Endpoint {
	if os.Getenv(EndpointEnv) == "" {
		return Endpoint{}
	}
	return Endpoint{
		Address:  NewAddress(os.Getenv(EndpointEnv)),
		CAFile:   os.Getenv(CAFileEnv),
		CertFile: os.Getenv(CertFileEnv),
		KeyFile:  os.Getenv(KeyFileEnv),
	}
}

// ForgetEnv removes the address from the environment, which child processes inherit.
func ForgetEnv() { _ = os.Unsetenv(EndpointEnv) }

// InForce returns the endpoint of a run: the one in the environment, else the saved
// one.
func InForce(saved Endpoint) Endpoint {
	if named := FromEnv(); !named.Address.IsZero() {
		return named
	}
	return saved
}

// Check rejects an invalid endpoint. The error quotes no part of the address, which may
// have a password.
func (e Endpoint) Check() error {
	if e.Address.IsZero() {
		return nil
	}
	if err := e.Address.Check(); err != nil {
		return err
	}
	for _, file := range []string{e.CAFile, e.CertFile, e.KeyFile} {
		if file != "" && !filepath.IsAbs(file) {
			return fmt.Errorf("%q, for TLS with the datastore, must be an absolute path", file)
		}
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		return errors.New("a certificate and a key for the datastore must be given together")
	}
	return nil
}

// Kind returns how the datastore is reached.
func (e Endpoint) Kind() Kind { return e.Address.Kind() }

// Path returns the SQLite file that the endpoint names; "" is the instance's own.
func (e Endpoint) Path() string { return e.Address.path() }

// Servers returns the addresses of an etcd, without a user: etcd's client ignores it,
// but prints the addresses.
func (e Endpoint) Servers() []string {
	servers := strings.Split(e.Address.Reveal(), ",")
	for i, text := range servers {
		if u, err := parseURL(text); err == nil && u.User != nil {
			u.User = nil
			servers[i] = u.String()
		}
	}
	return servers
}

// String returns the endpoint without secrets.
func (e Endpoint) String() string { return e.Address.String() }
