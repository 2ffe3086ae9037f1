// SPDX-License-Identifier: Apache-2.0

// Package datastore says where an instance's objects are that are not in a file
// of its own: an etcd, or a database that kine has a driver for.
package datastore

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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
	// URL is as kine has it: SCHEME://ADDRESS, where the address may have a password.
	URL string `json:"endpoint,omitempty"`
	// The files are for TLS with the datastore, and absolute.
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
}

// FromEnv returns what the environment names; the zero value where that is nothing.
func FromEnv() Endpoint {
	if os.Getenv(EndpointEnv) == "" {
		return Endpoint{}
	}
	return Endpoint{
		URL:      os.Getenv(EndpointEnv),
		CAFile:   os.Getenv(CAFileEnv),
		CertFile: os.Getenv(CertFileEnv),
		KeyFile:  os.Getenv(KeyFileEnv),
	}
}

// InForce returns the endpoint of a run: what the environment names goes before what
// is saved.
func InForce(saved Endpoint) Endpoint {
	if named := FromEnv(); named != (Endpoint{}) {
		return named
	}
	return saved
}

// Check refuses what is no endpoint. It says nothing of the address, which may have
// a password.
func (e Endpoint) Check() error {
	if e.URL == "" {
		return nil
	}
	scheme, _, ok := strings.Cut(e.URL, "://")
	if _, known := kinds[scheme]; !ok || !known {
		return fmt.Errorf("the datastore is no SCHEME://ADDRESS with one of the schemes %s", strings.Join(schemes(), ", "))
	}
	if path := e.Path(); path != "" && !filepath.IsAbs(path) {
		return fmt.Errorf("the datastore %q is no absolute path: the daemon has no other directory to begin at", path)
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

func schemes() []string {
	var list []string
	for scheme := range kinds {
		list = append(list, scheme)
	}
	slices.Sort(list)
	return list
}

// Kind returns how the datastore is reached.
func (e Endpoint) Kind() Kind {
	scheme, _, _ := strings.Cut(e.URL, "://")
	return kinds[scheme]
}

// Path returns the SQLite file that the endpoint names; "" is the instance's own.
// What kine tells its driver after a question mark has no meaning here.
func (e Endpoint) Path() string {
	address, ok := strings.CutPrefix(e.URL, "sqlite://")
	if !ok {
		return ""
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "file:"), "?")
	return path
}

// Servers returns the addresses of an etcd.
func (e Endpoint) Servers() []string { return strings.Split(e.URL, ",") }

// String returns the endpoint without secrets: of a database the scheme and the
// host, where it is a URL.
func (e Endpoint) String() string {
	scheme, _, _ := strings.Cut(e.URL, "://")
	switch e.Kind() {
	case File:
		return e.URL
	case Etcd:
		return withoutPasswords(e.Servers())
	}
	// MySQL's is no URL: USER:PASSWORD@tcp(HOST:PORT)/DATABASE.
	if u, err := url.Parse(e.URL); err == nil && u.Host != "" {
		return scheme + "://" + u.Host
	}
	return scheme + "://…"
}

// withoutPasswords lists URLs; what is none, and might have a password, is left out.
func withoutPasswords(urls []string) string {
	shown := make([]string, len(urls))
	for i, text := range urls {
		shown[i] = "…"
		if u, err := url.Parse(text); err == nil {
			shown[i] = u.Redacted()
		}
	}
	return strings.Join(shown, ",")
}
