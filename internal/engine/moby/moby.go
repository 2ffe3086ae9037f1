// SPDX-License-Identifier: Apache-2.0

// Package moby is an [engine.Engine] behind the Docker Engine API
// (https://docs.docker.com/reference/api/engine/), from version 1.40 on.
package moby

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/versions"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// Namespace is the name of the one namespace of a moby engine, as containerd
// knows it.
const Namespace = "moby"

// callTimeout bounds every call but the event stream.
const callTimeout = 30 * time.Second

// Config configures an [Engine].
type Config struct {
	// Endpoint is unix:///path, npipe:////./pipe/name, tcp://host:port or
	// ssh://user@host:port/path/of/socket.
	Endpoint string
	// Secret has the certificates for a tcp:// endpoint with TLS; nil for a connection
	// without TLS.
	Secret engine.Secret
	// SkipVerify accepts any certificate, for Docker contexts with SkipTLSVerify. The
	// engine is not authenticated then.
	SkipVerify bool
}

// Engine is a connection to a Docker API. It connects when a call needs it.
type Engine struct {
	http      *http.Client
	transport *http.Transport
	route     *route
	clients   atomic.Pointer[clients]
	// ended says that the event stream or the last look at the engine did.
	ended    atomic.Bool
	untagged untagged
	// podman says that it is Podman, as it was when it was last asked who it is.
	podman atomic.Bool
	// stall is how long an engine may take to complete a message that it began.
	stall time.Duration
}

var (
	_ engine.Engine    = (*Engine)(nil)
	_ engine.Refresher = (*Engine)(nil)
)

// New returns an engine at the endpoint. It does not connect.
func New(cfg Config) (*Engine, error) {
	route, err := newRoute(cfg)
	if err != nil {
		return nil, fmt.Errorf("use the endpoint %s: %w", cfg.Endpoint, err)
	}
	httpClient, transport, err := newHTTPClient(route)
	if err != nil {
		return nil, fmt.Errorf("use the endpoint %s: %w", cfg.Endpoint, err)
	}
	e := &Engine{http: httpClient, transport: transport, route: route, stall: limits.Stall}
	if err := e.renew(); err != nil {
		return nil, fmt.Errorf("use the endpoint %s: %w", cfg.Endpoint, err)
	}
	return e, nil
}

// Close implements [engine.Engine].
func (e *Engine) Close() error {
	e.transport.CloseIdleConnections()
	e.route.close()
	c := e.clients.Load()
	return errors.Join(c.api.Close(), c.hijack.Close())
}

// Refresh implements [engine.Refresher].
func (e *Engine) Refresh() { e.transport.CloseIdleConnections() }

// Info implements [engine.Engine].
func (e *Engine) Info(ctx context.Context) (engine.Info, error) {
	if e.ended.CompareAndSwap(true, false) {
		if err := e.renew(); err != nil {
			return engine.Info{}, err
		}
	}
	info, err := e.info(ctx)
	if err != nil {
		e.ended.Store(true)
	}
	return info, err
}

func (e *Engine) info(ctx context.Context) (engine.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var info info
	err := fetch(ctx, "the engine's answer with its info", limits.Info, &info, func(ctx context.Context) error {
		_, err := e.api().Info(ctx, client.InfoOptions{})
		return err
	})
	if err != nil {
		return engine.Info{}, err
	}
	if info.identity() == "" && info.ServerVersion == "" {
		return engine.Info{}, errors.New("the engine does not identify itself: its answer has neither an ID nor a version")
	}
	e.podman.Store(info.BuildahVersion != "")
	version, err := e.apiVersion(ctx)
	if err != nil {
		return engine.Info{}, err
	}
	clock, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		clock = time.Now() // the engine does not report its clock
	}
	result := engine.Info{
		ID:           info.identity(),
		HostName:     info.Name,
		RootDir:      info.DockerRootDir,
		Version:      info.ServerVersion,
		APIVersion:   version,
		OS:           info.OSType,
		Architecture: goarch(info.Architecture),
		CPUs:         engine.Clamp32(int64(info.NCPU)),
		Memory:       info.MemTotal,
		Clock:        clock,
	}
	return result, result.Check()
}

// goarch converts uname's name of an architecture to Go's.
func goarch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "armv7l", "armv6l":
		return "arm"
	case "i386", "i686":
		return "386"
	}
	return machine
}

// Inspect implements [engine.Engine].
func (e *Engine) Inspect(ctx context.Context, key engine.Key) (engine.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object := engine.Object{Key: key}
	if key.Namespace != "" {
		return object, engine.ErrNotFound // a moby engine has no namespaces
	}
	switch key.Kind {
	case engine.KindNamespace:
		if key.ID != Namespace {
			return object, engine.ErrNotFound
		}
		object.Namespace = &containersv1alpha1.ContainerNamespaceStatus{Name: Namespace}
	case engine.KindContainer:
		c, err := e.inspectContainer(ctx, key)
		if err != nil {
			return object, err
		}
		object.Container = containerStatus(c)
	case engine.KindImage:
		return e.inspectImage(ctx, key)
	case engine.KindVolume:
		v, err := e.inspectVolume(ctx, key)
		if err != nil {
			return object, err
		}
		object.Volume = volumeStatus(v)
	case engine.KindNetwork:
		n, err := e.inspectNetwork(ctx, key)
		if err != nil {
			return object, err
		}
		object.Network = networkStatus(n)
	default:
		return object, fmt.Errorf("unknown kind %q", key.Kind)
	}
	return object, nil
}

// manifestsSince is the first version of the API that reports the platforms of an
// image, which containerd's image store keeps.
const manifestsSince = "1.48"

func (e *Engine) imageOptions(ctx context.Context) ([]client.ImageInspectOption, error) {
	version, err := e.apiVersion(ctx)
	if err != nil || versions.LessThan(version, manifestsSince) {
		return nil, err
	}
	return []client.ImageInspectOption{client.ImageInspectWithManifests(true)}, nil
}

// translate wraps an error of the client in one of this project's kinds, and keeps the
// engine's text.
func translate(err error) error {
	if failed := (carriedError{}); errors.As(err, &failed) {
		return failed.reason
	}
	switch {
	case err == nil, client.IsErrConnectionFailed(err):
		return err
	case cerrdefs.IsNotFound(err):
		// Another server at the endpoint may not know the path.
		if words := strings.ToLower(err.Error()); strings.Contains(words, "no such ") || strings.Contains(words, podmanNoImage) || networkNotFound.MatchString(words) {
			return fmt.Errorf("%w: %w", engine.ErrNotFound, err)
		}
		return err
	case cerrdefs.IsConflict(err), cerrdefs.IsFailedPrecondition(err), cerrdefs.IsInvalidArgument(err),
		cerrdefs.IsPermissionDenied(err), cerrdefs.IsNotImplemented(err), cerrdefs.IsNotModified(err):
		return fmt.Errorf("%w: %w", engine.ErrRefused, err)
	}
	return err
}
