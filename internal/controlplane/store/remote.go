// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
)

const (
	// openPatience is how long a datastore may take to answer at the start, and
	// tryTimeout how long each of the tries.
	openPatience = time.Minute
	tryTimeout   = 5 * time.Second
	tryPause     = 50 * time.Millisecond

	// As Kubernetes' API server has them.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	dialTimeout      = 20 * time.Second

	erasePage = 500
)

// RemoteConfig describes a datastore that others keep. All fields must be set.
type RemoteConfig struct {
	Endpoint datastore.Endpoint
	// Name is what the keys of this instance begin with, between slashes: others may
	// have theirs in the same datastore.
	Name string
	// Socket is where the process between this one and a database listens.
	Socket string
	// Version is that of the program, for the record in the datastore.
	Version string
	Log     *slog.Logger
}

// Remote is an open datastore that others keep.
type Remote struct {
	RemoteConfig

	client   *clientv3.Client
	child    *child // nil where the datastore speaks etcd's protocol
	progress bool
	end      context.CancelFunc
	compact  interface{ Stop() } // nil where the datastore does that itself
}

// OpenRemote connects to a datastore and waits until it answers, for a minute at the
// most. That of a newer program is a [*NewerError].
func OpenRemote(ctx context.Context, cfg RemoteConfig) (_ *Remote, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the datastore %s: %w", cfg.Endpoint, cfg.Endpoint.Address.ScrubError(err))
		}
	}()
	r := &Remote{RemoteConfig: cfg}
	servers := cfg.Endpoint.Servers()
	if cfg.Endpoint.Kind() == datastore.Database {
		if r.child, err = startChild(cfg.Endpoint, cfg.Socket, cfg.Log); err != nil {
			return nil, err
		}
		servers = []string{"unix://" + cfg.Socket}
	}
	if err := r.open(ctx, servers); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Remote) open(ctx context.Context, servers []string) error {
	life, end := context.WithCancel(context.Background())
	r.end = end
	cfg := clientv3.Config{
		Context:              life,
		Endpoints:            servers,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepaliveTime,
		DialKeepAliveTimeout: keepaliveTimeout,
		Logger:               zap.NewNop(), // what fails is told by its error
	}
	if r.child == nil {
		info := transport.TLSInfo{TrustedCAFile: r.Endpoint.CAFile, CertFile: r.Endpoint.CertFile, KeyFile: r.Endpoint.KeyFile}
		if !info.Empty() || info.TrustedCAFile != "" {
			var err error
			if cfg.TLS, err = info.ClientConfig(); err != nil {
				return err
			}
		}
	}
	var err error
	if r.client, err = clientv3.New(cfg); err != nil {
		return err
	}
	if err := r.waitAnswer(ctx); err != nil {
		return err
	}
	if err := r.checkRecord(ctx); err != nil {
		return err
	}
	return r.checkServer(ctx, servers[0])
}

// waitAnswer waits until the datastore answers.
func (r *Remote) waitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	for {
		err := r.try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.Failed():
			return r.child.words()
		case <-ctx.Done():
			if r.child != nil {
				err = fmt.Errorf("%w (%w)", err, r.child.words())
			}
			return fmt.Errorf("it did not answer: %w", err)
		case <-time.After(tryPause):
		}
	}
}

func (r *Remote) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return r.Ping(ctx)
}

// recordKey holds what a file beside an own store does. The API server's keys are
// below [Remote.Prefix].
func (r *Remote) recordKey() string { return r.root() + "rdd.json" }

func (r *Remote) root() string { return "/" + r.Name + "/" }

// checkRecord refuses what a newer program wrote, and makes the record where
// there is none.
func (r *Remote) checkRecord(ctx context.Context) error {
	c := r.Client()
	defer func() { _ = c.Close() }()
	got, err := c.Kubernetes.Get(ctx, r.recordKey(), kubernetes.GetOptions{})
	if err != nil {
		return err
	}
	if got.KV == nil {
		data, err := json.Marshal(record{Format: format, Version: r.Version})
		if err != nil {
			return err
		}
		_, err = c.Kubernetes.OptimisticPut(ctx, r.recordKey(), data, 0, kubernetes.PutOptions{})
		return err
	}
	var known record
	if err := json.Unmarshal(got.KV.Value, &known); err != nil {
		return fmt.Errorf("read its key %s: %w", r.recordKey(), err)
	}
	if known.Format > format {
		return &NewerError{File: r.Endpoint.String(), Format: known.Format, Version: known.Version}
	}
	return nil
}

// checkServer learns what the server can do. An etcd leaves it to its clients to
// compact.
func (r *Remote) checkServer(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	status, err := r.client.Status(ctx, server)
	if err != nil {
		return err
	}
	r.progress = hasProgress(status.Version)
	if r.child == nil {
		r.compact = etcd3.NewCompactor(r.client, compactInterval, clock.RealClock{}, nil)
	}
	return nil
}

// hasProgress reports whether watchers can rely on what an etcd of the version says
// of their progress: https://github.com/etcd-io/etcd/issues/17507.
func hasProgress(text string) bool {
	v, err := version.ParseSemantic(text)
	if err != nil {
		return false
	}
	least := version.MustParseSemantic("3.5.13")
	if v.Major() == 3 && v.Minor() == 4 {
		least = version.MustParseSemantic("3.4.31")
	}
	return v.AtLeast(least)
}

// Prefix is what the keys of the API server begin with.
func (r *Remote) Prefix() string { return r.root() + "registry" }

// WatchProgress reports whether watchers can rely on what is said of their progress.
func (r *Remote) WatchProgress() bool { return r.progress }

// Client returns a client of the datastore, with watch streams of its own. All share
// a connection.
func (r *Remote) Client() *kubernetes.Client {
	c := clientv3.NewCtxClient(r.client.Ctx())
	c.KV = clientv3.NewKV(r.client)
	c.Lease = clientv3.NewLease(r.client)
	c.Watcher = clientv3.NewWatcher(r.client)
	client := &kubernetes.Client{Client: c}
	client.Kubernetes = client
	return client
}

// Ping reports whether the datastore answers.
func (r *Remote) Ping(ctx context.Context) error {
	_, err := r.client.Get(ctx, r.recordKey())
	return r.Endpoint.Address.ScrubError(err)
}

// Failed is closed when the process in between has ended. A datastore that does not
// answer for a while is no failure.
func (r *Remote) Failed() <-chan struct{} {
	if r.child == nil {
		return nil
	}
	return r.child.done
}

// Err returns the reason of Failed.
func (r *Remote) Err() error {
	return fmt.Errorf("the datastore %s: %w", r.Endpoint, r.child.words())
}

// Close ends the connection. Clients must have been closed.
func (r *Remote) Close() {
	if r.end != nil {
		r.end()
	}
	if r.compact != nil {
		r.compact.Stop()
	}
	if r.client != nil {
		_ = r.client.Close()
	}
	if r.child != nil {
		r.child.stop()
	}
}

// Erase removes all that the instance has in the datastore.
func (r *Remote) Erase(ctx context.Context) error {
	c := r.Client()
	defer func() { _ = c.Close() }()
	for {
		page, err := c.Kubernetes.List(ctx, r.root(), kubernetes.ListOptions{Limit: erasePage})
		if err != nil || len(page.Kvs) == 0 {
			return err
		}
		for _, kv := range page.Kvs {
			// kine knows no other way to delete. A key that another client changes at that time
			// comes with the next page.
			options := kubernetes.DeleteOptions{GetOnFailure: true}
			if _, err := c.Kubernetes.OptimisticDelete(ctx, string(kv.Key), kv.ModRevision, options); err != nil {
				return err
			}
		}
	}
}
