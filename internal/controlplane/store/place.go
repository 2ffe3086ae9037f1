// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/etcd/client/v3/kubernetes"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// Objects is an open store of any kind.
type Objects interface {
	// Client returns a client with a watch stream of its own, which the caller closes.
	Client() *kubernetes.Client
	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Prefix is the prefix of every key of the API server.
	Prefix() string
	// WatchProgress reports whether watchers can rely on reported progress.
	WatchProgress() bool
	// Writable returns why the store can't be written, such as a full disk; nil if it
	// can.
	Writable(ctx context.Context) error
	// Failed is closed when the store is unusable, and Err returns why.
	Failed() <-chan struct{}
	Err() error
	// Close closes the store, and waits for its goroutines. Close clients first.
	Close()
}

// Place is where the objects of an instance are stored.
type Place struct {
	Instance *instance.Instance
	Endpoint datastore.Endpoint
	Log      *slog.Logger
}

// Open opens the store, or creates it if there never was one.
func (p Place) Open(ctx context.Context) (Objects, error) {
	if err := p.Endpoint.Check(); err != nil {
		return nil, err
	}
	if p.Endpoint.Kind() != datastore.File {
		remote, err := p.remote(ctx)
		if err != nil {
			return nil, err // not an interface with a nil pointer
		}
		return remote, nil
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	s, err := Open(ctx, Config{File: p.file(), Version: version.RDD()})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// check rejects a file that another user can change, or has created. It may be outside
// of the instance's directories.
func (p Place) check() error {
	files := Files(p.file())
	d, err := owned.OpenShared(filepath.Dir(files[0]))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.Check(func(name string) bool {
			return slices.ContainsFunc(files, func(file string) bool { return filepath.Base(file) == name })
		})
		d.Close()
	}
	if err != nil {
		return fault.New(fault.Failed, "check the store", p.file(), err)
	}
	return nil
}

// Newer returns a [*NewerError] if a newer program wrote the store, as far as its files
// show: it does not connect to a datastore.
func (p Place) Newer() error {
	if p.Endpoint.Kind() != datastore.File {
		return nil
	}
	data, err := regular.Read(recordFile(p.file()), maxRecord)
	if err != nil {
		return nil //nolint:nilerr // the daemon that is to come will say what is wrong
	}
	var newer *NewerError
	if err := checkRecord(p.file(), data); errors.As(err, &newer) {
		return err
	}
	return nil
}

func (p Place) file() string { return cmp.Or(p.Endpoint.Path(), p.Instance.StoreFile()) }

func (p Place) remote(ctx context.Context) (*Remote, error) {
	return OpenRemote(ctx, RemoteConfig{
		Endpoint: p.Endpoint,
		Name:     p.Instance.ContextName(),
		Socket:   p.Instance.DatastoreSocket(),
		Version:  version.RDD(),
		Log:      p.Log,
	})
}

// Erase deletes the instance's objects. No process may have the store open.
func (p Place) Erase(ctx context.Context) error {
	if p.Endpoint.Kind() == datastore.File {
		if err := p.check(); err != nil {
			return err
		}
		for _, path := range Files(p.file()) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fault.New(fault.Failed, "remove", path, err)
			}
		}
		return nil
	}
	remote, err := p.remote(ctx)
	if err != nil {
		return err
	}
	defer remote.Close()
	if err := remote.Erase(ctx); err != nil {
		return fault.New(fault.Failed, "empty the datastore", p.Endpoint.String(), p.Endpoint.Address.ScrubError(err))
	}
	return nil
}
