// SPDX-License-Identifier: Apache-2.0

// Package proxy is the process between a daemon and a database: kine with its drivers,
// on a socket for the daemon's user only. The daemon starts it, and it exits with the
// daemon.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/memory" // kine's drivers register themselves
	_ "github.com/k3s-io/kine/pkg/drivers/mysql"
	_ "github.com/k3s-io/kine/pkg/drivers/nats"
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"
	kine "github.com/k3s-io/kine/pkg/server"
	"github.com/k3s-io/kine/pkg/tls"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// The values of kine's own program, except that it never compacts by itself.
const (
	compactInterval  = 5 * time.Minute
	compactTimeout   = 5 * time.Second
	compactMinRetain = 1000
	compactBatch     = 1000
	pollInterval     = time.Second // for other clients' writes to the database
	pollBatch        = 500
	notifyInterval   = 5 * time.Second
	maxIdle          = 20
	maxIdleTime      = 2 * time.Minute
	maxReceive       = 2 << 20 // etcd's, and larger than any object
	keepaliveMin     = 5 * time.Second
	connectTimeout   = 10 * time.Second
	maxHeaders       = 64 << 10 // bytes
	socketMode       = 0o600
)

// Main serves the endpoint in the environment until the input ends, which is when the
// daemon exits, and returns the exit code. It ignores signals: terminals and service
// managers send them to this process too, which must outlive the daemon's last write.
//
// An address that does not parse is a usage error. The output has none of the address's
// secrets, which drivers quote.
func Main(ctx context.Context, input io.Reader, log io.Writer) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	endpoint := datastore.FromEnv()
	log = endpoint.Address.NewScrubber(log)
	logrus.SetOutput(log)
	logrus.SetLevel(logrus.WarnLevel)
	logrus.SetFormatter(&logrus.TextFormatter{DisableColors: true, DisableTimestamp: true})

	err := endpoint.Check()
	if err == nil && endpoint.Kind() != datastore.Database {
		err = errors.New(datastore.EndpointEnv + " must name a database (postgres://…, mysql://…, nats://…)")
	}
	if err != nil {
		_, _ = fmt.Fprintln(log, err)
		return fault.ExitUsage
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, input)
	}()
	failed := make(chan error, 1)
	go func() {
		failed <- serve(ctx, endpoint)
	}()
	select {
	case <-ended: // also while it retries a database that does not answer
		return 0
	case err := <-failed:
		_, _ = fmt.Fprintln(log, err)
		return 1
	}
}

// serve serves the endpoint at the socket until ctx ends.
func serve(ctx context.Context, endpoint datastore.Endpoint) error {
	var wg sync.WaitGroup
	_, backend, err := drivers.New(ctx, &wg, &drivers.Config{
		Endpoint: endpoint.Address.Reveal(),
		BackendTLSConfig: tls.Config{
			CAFile:   endpoint.CAFile,
			CertFile: endpoint.CertFile,
			KeyFile:  endpoint.KeyFile,
		},
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: maxIdle, MaxIdleTime: maxIdleTime},
		CompactInterval:      compactInterval,
		CompactTimeout:       compactTimeout,
		CompactMinRetain:     compactMinRetain,
		CompactBatchSize:     compactBatch,
		PollInterval:         pollInterval,
		PollBatchSize:        pollBatch,
	})
	if err != nil {
		return err
	}
	if backend == nil {
		return errors.New("the endpoint is an etcd, which needs no proxy")
	}
	if err := backend.Start(ctx); err != nil {
		return err
	}
	listener, err := listen(ctx, os.Getenv(datastore.ListenerEnv))
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMin}),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxRecvMsgSize(maxReceive),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.UnaryInterceptor(scrubbing(endpoint.Address)),
	)
	kine.New(apart{backend}, "unix", notifyInterval, datastore.EmulatedVersion).Register(server)
	defer context.AfterFunc(ctx, server.Stop)()
	return server.Serve(listener)
}

// scrubbing removes the address's secrets from the drivers' errors.
func scrubbing(address datastore.Address) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		response, err := handle(ctx, request)
		state := status.Convert(err)
		if clean := address.Scrub(state.Message()); err != nil && clean != state.Message() {
			err = status.Error(state.Code(), clean)
		}
		return response, err
	}
}

// listen binds the socket, with access for the user only.
func listen(ctx context.Context, path string) (net.Listener, error) {
	// A killed process may have left the socket.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the daemon names a path of its own
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil { //nolint:gosec // as above
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}
