// SPDX-License-Identifier: Apache-2.0

// Package datastore says where an instance's objects are that are not in a file
// of its own: an etcd, or a database that kine has a driver for.
package datastore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Environment variables, of users and, the last one, of the daemon for rdd-datastore.
const (
	EndpointEnv = "RDD_DATASTORE_ENDPOINT"
	CAFileEnv   = "RDD_DATASTORE_CAFILE"
	CertFileEnv = "RDD_DATASTORE_CERTFILE"
	KeyFileEnv  = "RDD_DATASTORE_KEYFILE"
	ListenerEnv = "RDD_DATASTORE_LISTENER"
)

// EmulatedVersion is an etcd that has watch progress requests.
const EmulatedVersion = "3.6.11"

// Program is what speaks etcd's protocol for a database.
const Program = "rdd-datastore"

// Kind is how a datastore is reached.
type Kind int

// The kinds.
const (
	File     Kind = iota // a SQLite file, which the daemon opens
	Etcd                 // etcd's protocol, which the daemon speaks
	Database             // a database, by way of rdd-datastore
)

// kinds are the schemes that kine knows.
var kinds = map[string]Kind{
	"sqlite": File,
	"http":   Etcd, "https": Etcd, "unix": Etcd, "unixs": Etcd,
	"postgres": Database, "postgresql": Database, "mysql": Database, "nats": Database, "jetstream": Database,
	"memory": Database,
}

// Endpoint is a datastore. The zero value is the instance's own file.
type Endpoint struct {
	Address Address
	// The files are for TLS with the datastore, and absolute.
	CAFile   string
	CertFile string
	KeyFile  string
}

// Saved is an endpoint as a file keeps it that only the user may read: with all secrets.
type Saved struct {
	URL      string `json:"endpoint,omitempty"`
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
}

// Save returns the endpoint for such a file.
func (e Endpoint) Save() Saved {
	return Saved{URL: e.Address.Reveal(), CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile}
}

// Endpoint returns what was saved, which may be no endpoint any more.
func (s Saved) Endpoint() Endpoint {
	return Endpoint{Address: NewAddress(s.URL), CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile}
}

// FromEnv returns what the environment names; the zero value if that is nothing.
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

// ForgetEnv removes the address from the environment, which the programs that this one
// starts have as well.
func ForgetEnv() { _ = os.Unsetenv(EndpointEnv) }

// InForce returns the endpoint of a run: what the environment names goes before what
// is saved.
func InForce(saved Endpoint) Endpoint {
	if named := FromEnv(); !named.Address.IsZero() {
		return named
	}
	return saved
}

// Check refuses what is no endpoint. The error repeats nothing of the address, which
// may have a password.
func (e Endpoint) Check() error {
	if e.Address.IsZero() {
		return nil
	}
	if err := e.Address.Check(); err != nil {
		return err
	}
	for _, file := range []string{e.CAFile, e.CertFile, e.KeyFile} {
		if file != "" && !filepath.IsAbs(file) {
			return fmt.Errorf("%q, for TLS with the datastore, is no absolute path", file)
		}
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		return errors.New("a certificate for the datastore needs a key, and a key a certificate")
	}
	return nil
}

// Kind returns how the datastore is reached.
func (e Endpoint) Kind() Kind { return e.Address.Kind() }

// Path returns the SQLite file that the endpoint names; "" is the instance's own.
func (e Endpoint) Path() string { return e.Address.path() }

// Servers returns the addresses of an etcd. They have no user: its client makes no use
// of one, and repeats what it is given.
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
