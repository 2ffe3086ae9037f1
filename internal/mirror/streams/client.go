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
	"k8s.io/client-go/transport/websocket"
	"k8s.io/kubectl/pkg/util/term"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// LogOptions select the part of a log to read.
type LogOptions = engine.LogOptions

// ExecOptions describe the process to run, and its streams.
type ExecOptions struct {
	Command []string
	// TTY gives the command a terminal, connected to the terminal of Stdin.
	TTY bool
	// Stdin may be nil.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Client uses the endpoints through an API server.
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

// dial opens a WebSocket.
func (c *Client) dial(ctx context.Context, address, protocol string) (*gorilla.Conn, error) {
	transport, holder, err := websocket.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	conn, err := websocket.Negotiate(transport, holder, request, protocol)
	return conn, cause(err)
}

// Logs writes a container's log to w.
func (c *Client) Logs(ctx context.Context, id string, options LogOptions, w io.Writer) error {
	query := url.Values{"tail": {tailParameter(options.Tail)}, "follow": {strconv.FormatBool(options.Follow)}}
	conn, err := c.dial(ctx, c.url("logs", id, query), binaryProtocol)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	for {
		_, message, err := conn.ReadMessage()
		switch {
		case ctx.Err() != nil, gorilla.IsCloseError(err, gorilla.CloseNormalClosure):
			return nil // the end of the log, or the context was canceled
		case err != nil:
			return fmt.Errorf("the connection broke: %w", err)
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
	if !options.TTY {
		return c.exec(ctx, id, options, nil)
	}
	terminal := term.TTY{In: options.Stdin, Out: options.Stdout, Raw: options.Stdin != nil}
	return terminal.Safe(func() error {
		var sizes term.TerminalSizeQueue
		if size := terminal.GetSize(); size != nil {
			sizes = terminal.MonitorSize(size)
		}
		return c.exec(ctx, id, options, sizes)
	})
}

// cause returns the error with which the API server refused a stream.
func cause(err error) error {
	var refused *httpstream.UpgradeFailureError
	if errors.As(err, &refused) && refused.Cause != nil {
		return refused.Cause
	}
	return err
}
