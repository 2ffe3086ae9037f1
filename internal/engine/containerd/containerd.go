// SPDX-License-Identifier: Apache-2.0

// Package containerd is an [engine.Engine] behind containerd's own API
// (https://github.com/containerd/containerd/tree/main/api), from version 1.6 on:
// its generated services, without its client library. Each of containerd's namespaces
// is a namespace of the engine; there are no volumes.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	contentapi "github.com/containerd/containerd/api/services/content/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	streamingapi "github.com/containerd/containerd/api/services/streaming/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	transferapi "github.com/containerd/containerd/api/services/transfer/v1"
	versionapi "github.com/containerd/containerd/api/services/version/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// callTimeout bounds every call but the event stream, acts and pulls.
const callTimeout = 30 * time.Second

// namespaceHeader is the header with the namespace of a call (containerd's
// pkg/namespaces).
const namespaceHeader = "containerd-namespace"

// Config configures an [Engine].
type Config struct {
	// Endpoint is unix:///path.
	Endpoint string
}

// Engine is a connection to a containerd. It connects when a call needs it.
type Engine struct {
	dialer *dialer
	conn   *grpc.ClientConn
	// names has the last known image of each reference.
	names references
	// records has containers, and targets the digests of images' names.
	records cache[record]
	targets cache[string]

	// alive ends with the connection, and ends the streams of processes and logs.
	alive      context.Context
	cancel     context.CancelFunc
	background sync.WaitGroup
	followers  followers // of logs
	mu         sync.Mutex
	closed     bool // guarded by mu; no background work may start

	containers    containersapi.ContainersClient
	content       contentapi.ContentClient
	events        eventsapi.EventsClient
	images        imagesapi.ImagesClient
	introspection introspectionapi.IntrospectionClient
	namespaces    namespacesapi.NamespacesClient
	snapshots     snapshotsapi.SnapshotsClient
	streaming     streamingapi.StreamingClient
	tasks         tasksapi.TasksClient
	transfer      transferapi.TransferClient
	version       versionapi.VersionClient
}

var (
	_ engine.Engine = (*Engine)(nil)
	_ engine.Logger = (*Engine)(nil)
	_ engine.Execer = (*Engine)(nil)
	_ engine.Puller = (*Engine)(nil)
)

// New returns an engine at the endpoint. It does not connect.
func New(cfg Config) (*Engine, error) {
	address, err := endpoint.Parse(cfg.Endpoint, endpoint.Unix)
	if err != nil {
		return nil, fmt.Errorf("use the endpoint %s: this version of rdd connects to containerd only with unix://: %w", cfg.Endpoint, err)
	}
	d := &dialer{endpoint: cfg.Endpoint, path: address.Path}
	conn, err := d.client()
	if err != nil {
		return nil, fmt.Errorf("use the endpoint %s: %w", cfg.Endpoint, err)
	}
	alive, cancel := context.WithCancel(context.Background())
	return &Engine{
		alive:         alive,
		records:       cache[record]{limit: maxRecords},
		targets:       cache[string]{limit: maxTargets},
		cancel:        cancel,
		dialer:        d,
		conn:          conn,
		containers:    containersapi.NewContainersClient(conn),
		content:       contentapi.NewContentClient(conn),
		events:        eventsapi.NewEventsClient(conn),
		images:        imagesapi.NewImagesClient(conn),
		introspection: introspectionapi.NewIntrospectionClient(conn),
		namespaces:    namespacesapi.NewNamespacesClient(conn),
		snapshots:     snapshotsapi.NewSnapshotsClient(conn),
		streaming:     streamingapi.NewStreamingClient(conn),
		tasks:         tasksapi.NewTasksClient(conn),
		transfer:      transferapi.NewTransferClient(conn),
		version:       versionapi.NewVersionClient(conn),
	}, nil
}

// Close implements [engine.Engine].
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	defer e.background.Wait()
	return e.conn.Close()
}

var errClosed = errors.New("the connection is closed")

// inBackground runs f in the background unless the connection is closed, and reports
// whether it does. f must end with alive.
func (e *Engine) inBackground(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.background.Go(f)
	}
	return !e.closed
}

// in returns a context for calls in a namespace.
func in(ctx context.Context, namespace string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, namespaceHeader, namespace)
}

// Info implements [engine.Engine]. containerd does not report the processors, the
// memory and the clock of its machine. The clock is this machine's, since the socket
// is local.
func (e *Engine) Info(ctx context.Context) (engine.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.dialer.probe(ctx); err != nil {
		return engine.Info{}, err
	}
	// The library reconnects within redialPause. ResetConnectBackoff would be faster,
	// but it reads without a lock a field that a new connection writes.
	version, err := e.version.Version(ctx, &emptypb.Empty{}, grpc.WaitForReady(true))
	if status.Code(err) == codes.Unimplemented { // also an answer of HTTP/2 that is no gRPC
		return engine.Info{}, fmt.Errorf("%s: %w: HTTP/2, but not containerd's API (%w)", e.dialer.endpoint, engine.ErrProtocol, err)
	}
	if err != nil {
		return engine.Info{}, e.translate(err)
	}
	server, err := e.introspection.Server(ctx, &emptypb.Empty{})
	if err != nil {
		return engine.Info{}, e.translate(err)
	}
	if server.GetUUID() == "" {
		return engine.Info{}, errors.New("containerd does not report its ID")
	}
	info := engine.Info{ID: server.GetUUID(), Version: strings.TrimPrefix(version.GetVersion(), "v"), Clock: time.Now()}
	info.OS, info.Architecture, err = e.platform(ctx)
	return info, errors.Join(err, info.Check())
}

// platform returns the platform of containers, as in GOOS and GOARCH, from the runtime
// plugin.
func (e *Engine) platform(ctx context.Context) (os, architecture string, err error) {
	plugins, err := e.introspection.Plugins(ctx, &introspectionapi.PluginsRequest{})
	if err != nil {
		return "", "", e.translate(err)
	}
	for _, plugin := range plugins.GetPlugins() {
		if platforms := plugin.GetPlatforms(); strings.HasPrefix(plugin.GetType(), "io.containerd.runtime.v2") && len(platforms) > 0 {
			return platforms[0].GetOS(), platforms[0].GetArchitecture(), nil
		}
	}
	return "", "", nil
}
