// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

const (
	// idleTimeout ends the library's attempts to reconnect if there are no calls:
	// the callers retry. The event stream keeps a connection. Until then the library
	// retries after each redialPause, which bounds the delay until it notices a
	// restarted containerd.
	idleTimeout = 2 * time.Second
	redialPause = 50 * time.Millisecond
	dialTimeout = 10 * time.Second
)

// dialer connects to the socket, and remembers the last error: the library returns
// only its text.
type dialer struct {
	endpoint string
	path     string

	mu   sync.Mutex
	last error // guarded by mu; of the last attempt
}

// client returns a connection, which connects when it is used.
func (d *dialer) client() (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///containerd",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the socket's owner and mode restrict access
		grpc.WithContextDialer(d.dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: redialPause, Multiplier: 1, MaxDelay: redialPause},
			MinConnectTimeout: dialTimeout,
		}),
		grpc.WithIdleTimeout(idleTimeout),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.ForceCodecV2(newBoundedCodec())),
		grpc.WithMaxHeaderListSize(limits.Header), // an error's text is in the headers
		grpc.WithUnaryInterceptor(withDeadline),
	)
}

func (d *dialer) dial(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", d.path)
	d.mu.Lock()
	d.last = err
	d.mu.Unlock()
	return conn, err
}

// probe checks at once whether a server accepts a connection and speaks gRPC: the
// library would retry until the end of the call, whatever answers.
func (d *dialer) probe(ctx context.Context) error {
	conn, err := d.dial(ctx, "")
	if err != nil {
		return d.explain(err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := greet(conn); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: it does not answer in time (%w)", d.endpoint, ctx.Err())
		}
		return fmt.Errorf("%s: %w", d.endpoint, err)
	}
	return nil
}

// A connection over HTTP/2 begins with these (RFC 9113, 3.4): the client's preface, and
// from both sides a SETTINGS frame: length, type, flags, stream.
const (
	http2Preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	emptySettings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	settingsType  = 4
)

// greet begins a connection over HTTP/2, and returns an error unless the server does.
func greet(conn net.Conn) error {
	// The server may have answered and closed before it reads.
	_, writeErr := io.WriteString(conn, http2Preface+emptySettings)
	header := make([]byte, len(emptySettings))
	n, err := io.ReadFull(conn, header)
	switch answer := string(header[:n]); {
	case n == len(header) && header[3] == settingsType && header[0] == 0:
		return nil
	case strings.HasPrefix(answer, "HTTP/"):
		return fmt.Errorf("%w: HTTP, as Docker and Podman speak it, instead of containerd's gRPC", engine.ErrProtocol)
	case n > 0:
		return fmt.Errorf("%w: it answers %q instead of containerd's gRPC", engine.ErrProtocol, answer)
	case errors.Is(err, io.EOF):
		return errors.New("it closes connections without an answer")
	default:
		return errors.Join(writeErr, err)
	}
}

// explain returns why there is no connection, and the most likely cause.
func (d *dialer) explain(err error) error {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	switch {
	case last == nil:
		return fmt.Errorf("%s: %w", d.endpoint, err)
	case errors.Is(last, fs.ErrNotExist):
		return fmt.Errorf("%s: no such socket: check that containerd runs, and the path (%w)", d.endpoint, last)
	case errors.Is(last, fs.ErrPermission):
		return fmt.Errorf("%s: %w: the user of rdd has no permission for it; most often only root has (%w)", d.endpoint, engine.ErrDenied, last)
	case errors.Is(last, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: connection refused: nothing listens there; check that containerd runs (%w)", d.endpoint, last)
	}
	return fmt.Errorf("%s: %w", d.endpoint, last)
}

// translate wraps an error of the API in one of this project's kinds, and keeps
// containerd's text.
func (e *Engine) translate(err error) error {
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.Unavailable:
		return e.dialer.explain(err)
	case codes.DeadlineExceeded:
		return fmt.Errorf("%s: containerd does not answer in time (%w)", e.dialer.endpoint, err)
	}
	native := errgrpc.ToNative(err)
	switch {
	case tooLarge(err):
		return fmt.Errorf("%s: an answer of containerd exceeds RDD's limit: %w", e.dialer.endpoint, native)
	case errdefs.IsNotFound(native):
		return fmt.Errorf("%w: %w", engine.ErrNotFound, native)
	case errdefs.IsFailedPrecondition(native), errdefs.IsInvalidArgument(native), errdefs.IsPermissionDenied(native),
		errdefs.IsNotImplemented(native), errdefs.IsAlreadyExists(native):
		return fmt.Errorf("%w: %w", engine.ErrRefused, native)
	}
	return native
}

// tooLarge reports whether the library refused an answer because of its size.
// containerd's own errors with that code have another text.
func tooLarge(err error) bool {
	return status.Code(err) == codes.ResourceExhausted && strings.Contains(status.Convert(err).Message(), "larger than max")
}

// refusal is translate for acts: an error of containerd is a refusal, even if it has
// no kind because it comes from the runtime.
func (e *Engine) refusal(err error) error {
	switch status.Code(err) {
	case codes.Unknown, codes.Internal, codes.OutOfRange, codes.ResourceExhausted, codes.Aborted:
		native := errgrpc.ToNative(err)
		if errors.Is(native, context.Canceled) || errors.Is(native, context.DeadlineExceeded) {
			return native
		}
		return fmt.Errorf("%w: %w", engine.ErrRefused, native)
	}
	return e.translate(err)
}
