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
	"time"

	"github.com/gorilla/websocket"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// logBuffer is the most that one message of a log has, in bytes.
	logBuffer = 32 << 10
	// binaryProtocol is Kubernetes' name for a stream of bytes. Browsers name a
	// subprotocol where they send a token in another one.
	binaryProtocol = "binary.k8s.io"
	// closeWait bounds the farewell.
	closeWait = time.Second
	// maxReason is what a close message may have, in bytes (RFC 6455, 5.5).
	maxReason = 123
)

// Logs serves the log of the container whose ID ends the path: binary messages
// of what it wrote, and a close message when there is no more. The query takes
// tail=N, the number of the last lines to begin with, and follow=true.
func Logs(containers Find) http.Handler {
	upgrader := websocket.Upgrader{
		Subprotocols: []string{binaryProtocol},
		// The API server knows the client by a token, which no other site's page
		// has.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithCancel(request.Context())
		defer cancel()
		logs, err := open(ctx, request, containers)
		if err != nil {
			refuse(w, err)
			return
		}
		defer func() { _ = logs.Close() }()
		conn, err := upgrader.Upgrade(w, request, nil)
		if err != nil {
			return // the upgrader has answered
		}
		defer func() { _ = conn.Close() }()
		go func() { // ends with the connection
			// A client has nothing to say but that it goes.
			_, _, _ = conn.NextReader()
			cancel()
			_ = logs.Close()
			_ = conn.Close()
		}()
		sayGoodbye(conn, send(conn, logs))
	})
}

// open returns the log that a request asks for.
func open(ctx context.Context, request *http.Request, containers Find) (io.ReadCloser, error) {
	container, key, err := find(request, containers)
	if err != nil {
		return nil, err // whatever else is wrong with the request
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

// flag returns a parameter that is true or false.
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

// send sends each piece of a log as it comes.
func send(conn *websocket.Conn, logs io.Reader) error {
	buffer := make([]byte, logBuffer)
	for {
		n, err := logs.Read(buffer)
		if n > 0 {
			if err := conn.WriteMessage(websocket.BinaryMessage, buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// sayGoodbye tells the client why there is no more.
func sayGoodbye(conn *websocket.Conn, err error) {
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err != nil && !errors.Is(err, io.EOF) {
		reason := err.Error()
		message = websocket.FormatCloseMessage(websocket.CloseInternalServerErr, reason[:min(len(reason), maxReason)])
	}
	_ = conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(closeWait))
}
