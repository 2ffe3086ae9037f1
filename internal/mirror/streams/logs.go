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
	"sync"

	"github.com/gorilla/websocket"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// binaryProtocol is Kubernetes' name for a stream of bytes.
const binaryProtocol = "binary.k8s.io"

// Logs serves the log of the container whose ID ends the path: its output in binary
// messages, and a close message at the end. The query has tail=N, the number of the
// last lines to begin with, and follow=true.
func Logs(containers Find) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithCancel(request.Context())
		defer cancel()
		logs, err := open(ctx, request, containers)
		if err != nil {
			refuse(w, err)
			return
		}
		defer func() { _ = logs.Close() }()
		defer context.AfterFunc(ctx, func() { _ = logs.Close() })()
		conn, err := accept(w, request, binaryProtocol)
		if err != nil {
			return // the upgrader has answered
		}
		var parts sync.WaitGroup
		defer parts.Wait()
		defer conn.close()
		read := make(chan struct{})
		parts.Go(conn.sendPongs)
		parts.Go(func() {
			// The client sends only its close message.
			for {
				if _, _, err := conn.ws.NextReader(); err != nil {
					break
				}
			}
			close(read)
			cancel()
			conn.close() // otherwise a write to a client that is gone would block
		})
		err = send(conn, logs)
		code, reason := websocket.CloseNormalClosure, ""
		switch {
		case request.Context().Err() != nil:
			code, reason = websocket.CloseGoingAway, "rdd is stopping"
		case err != nil:
			code, reason = websocket.CloseInternalServerErr, err.Error()
		}
		conn.finish(request.Context(), code, reason, read)
	})
}

// open returns the requested log.
func open(ctx context.Context, request *http.Request, containers Find) (io.ReadCloser, error) {
	container, key, err := find(request, containers)
	if err != nil {
		return nil, err // before other errors of the request
	}
	if err := upgradable(request); err != nil {
		return nil, err
	}
	options, err := logOptions(request.URL.Query())
	if err != nil {
		return nil, err
	}
	logger, ok := container.(engine.Logger)
	if !ok {
		return nil, fmt.Errorf("%w: this engine keeps no logs", engine.ErrRefused)
	}
	return logger.Logs(ctx, key, options)
}

func logOptions(query url.Values) (engine.LogOptions, error) {
	options := engine.LogOptions{Tail: engine.AllLines}
	if tail := query.Get("tail"); tail != "" && tail != "all" {
		lines, err := strconv.Atoi(tail)
		if err != nil || lines < 0 {
			return options, badRequest("tail=%q: must be a number of lines, or all", tail)
		}
		options.Tail = lines
	}
	var err error
	options.Follow, err = flag(query, "follow", false)
	return options, err
}

// flag returns a boolean parameter.
func flag(query url.Values, name string, otherwise bool) (bool, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return otherwise, badRequest("%s=%q: must be true or false", name, text)
	}
	return value, nil
}

// send sends a log as it arrives. The end of the log is not an error.
func send(conn *connection, logs io.Reader) error {
	buffer := make([]byte, frameSize)
	for {
		n, err := logs.Read(buffer)
		if n > 0 {
			if err := conn.write(nil, buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
