// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	gorilla "github.com/gorilla/websocket"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/kubectl/pkg/util/term"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/passthrough"
)

// LogOptions say which part of a log to read.
type LogOptions = engine.LogOptions

// ExecOptions say what to run, and with which streams.
type ExecOptions struct {
	Command []string
	// TTY gives the command a terminal, which is that of Stdin.
	TTY bool
	// Stdin may be nil.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Client reaches the endpoints through an API server.
type Client struct{ config *rest.Config }

// NewClient returns a client for the API server that the kubeconfig names.
func NewClient(kubeconfig string) (*Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	return &Client{config}, nil
}

func (c *Client) url(endpoint, id string, query url.Values) string {
	return c.config.Host + passthrough.Prefix + "engine/" + endpoint + "/" + url.PathEscape(id) + "?" + query.Encode()
}

// Logs writes a container's log to w.
func (c *Client) Logs(ctx context.Context, id string, options LogOptions, w io.Writer) error {
	query := url.Values{"tail": {tailParameter(options.Tail)}, "follow": {strconv.FormatBool(options.Follow)}}
	transport, holder, err := websocket.RoundTripperFor(c.config)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url("logs", id, query), nil)
	if err != nil {
		return err
	}
	conn, err := websocket.Negotiate(transport, holder, request, binaryProtocol)
	if err != nil {
		return cause(err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	for {
		_, message, err := conn.ReadMessage()
		switch {
		case ctx.Err() != nil, gorilla.IsCloseError(err, gorilla.CloseNormalClosure):
			return nil // the end, or as it was asked to
		case err != nil:
			return fmt.Errorf("the log broke off: %w", err)
		}
		if _, err := w.Write(message); err != nil {
			return err
		}
	}
}

func tailParameter(lines int) string {
	if lines < 0 {
		return "all"
	}
	return strconv.Itoa(lines)
}

// Exec runs a command in a container. An exit code other than 0 is an error: a
// [k8s.io/client-go/util/exec.CodeExitError].
func (c *Client) Exec(ctx context.Context, id string, options ExecOptions) error {
	query := url.Values{
		"command": options.Command,
		"tty":     {strconv.FormatBool(options.TTY)},
		"stdin":   {strconv.FormatBool(options.Stdin != nil)},
	}
	executor, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, c.url("exec", id, query))
	if err != nil {
		return err
	}
	streams := remotecommand.StreamOptions{Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY}
	if !options.TTY {
		return cause(executor.StreamWithContext(ctx, streams))
	}
	streams.Stderr = nil
	terminal := term.TTY{In: options.Stdin, Out: options.Stdout, Raw: options.Stdin != nil}
	return terminal.Safe(func() error {
		if size := terminal.GetSize(); size != nil {
			streams.TerminalSizeQueue = sizeQueue{terminal.MonitorSize(size)}
		}
		return cause(executor.StreamWithContext(ctx, streams))
	})
}

// sizeQueue leads the sizes of a terminal from one library to the other.
type sizeQueue struct{ term.TerminalSizeQueue }

// Next implements [remotecommand.TerminalSizeQueue].
func (q sizeQueue) Next() *remotecommand.TerminalSize {
	size := q.TerminalSizeQueue.Next()
	if size == nil {
		return nil
	}
	return &remotecommand.TerminalSize{Width: size.Width, Height: size.Height}
}

// cause returns what the API server said in place of a stream.
func cause(err error) error {
	var refused *httpstream.UpgradeFailureError
	if errors.As(err, &refused) && refused.Cause != nil {
		return refused.Cause
	}
	return err
}
