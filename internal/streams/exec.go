// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// A terminal has a size only when the process runs, which clients don't wait
	// for.
	resizePause   = 20 * time.Millisecond
	resizeRetries = 250
)

// Exec serves a further process in the container whose ID ends the path, in
// Kubernetes' subprotocol v5.channel.k8s.io. The query takes command, once for
// each argument, tty=true, and stdin=false for a process that has none.
func Exec(containers Find) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		options, process, err := prepare(request, containers)
		if err != nil {
			refuse(w, err)
			return
		}
		// What the library logs are clients that went away.
		request = request.WithContext(klog.NewContext(request.Context(), logr.Discard()))
		conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{
			remotecommand.StreamProtocolV5Name: {Binary: true, Channels: []wsstream.ChannelType{
				remotecommand.StreamStdIn:  wsstream.ReadChannel,
				remotecommand.StreamStdOut: wsstream.WriteChannel,
				remotecommand.StreamStdErr: wsstream.WriteChannel,
				remotecommand.StreamErr:    wsstream.ReadWriteChannel, // read to see the client go
				remotecommand.StreamResize: wsstream.ReadChannel,
			}},
		})
		_, channels, err := conn.Open(w, request)
		if err != nil {
			return // the connection has answered
		}
		defer func() { _ = conn.Close() }()
		s := session{process: process, options: options, channels: channels}
		s.run(request.Context())
	})
}

// prepare returns the process that a request asks for.
func prepare(request *http.Request, containers Find) (engine.ExecOptions, engine.Process, error) {
	var options engine.ExecOptions
	container, key, err := find(request, containers)
	if err != nil {
		return options, nil, err // whatever else is wrong with the request
	}
	if !wsstream.IsWebSocketRequestWithStreamCloseProtocol(request) {
		return options, nil, &refusal{http.StatusUpgradeRequired, metav1.StatusReasonBadRequest,
			fmt.Errorf("this endpoint is a WebSocket in the subprotocol %s", remotecommand.StreamProtocolV5Name)}
	}
	query := request.URL.Query()
	options.Command = query["command"]
	if len(options.Command) == 0 || options.Command[0] == "" {
		return options, nil, badRequest("command: required, once for each argument")
	}
	if options.TTY, err = flag(query, "tty", false); err != nil {
		return options, nil, err
	}
	if options.Stdin, err = flag(query, "stdin", true); err != nil {
		return options, nil, err
	}
	execer, ok := container.(engine.Execer)
	if !ok {
		return options, nil, fmt.Errorf("%w: this engine can't run anything in a container", engine.ErrRefused)
	}
	process, err := execer.Exec(request.Context(), key, options)
	return options, process, err
}

// session is a process and its client.
type session struct {
	process  engine.Process
	options  engine.ExecOptions
	channels []io.ReadWriteCloser // by their numbers in the protocol
}

// run runs the process, and tells how it ended.
func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the connection
		_, _ = io.Copy(io.Discard, s.channels[remotecommand.StreamErr])
		cancel()
	}()
	if s.options.TTY {
		go s.resize(ctx)
	}
	var stdin io.Reader
	if s.options.Stdin {
		stdin = s.channels[remotecommand.StreamStdIn]
	} else {
		go func() { _, _ = io.Copy(io.Discard, s.channels[remotecommand.StreamStdIn]) }()
	}
	code, err := s.process.Run(ctx, stdin, s.channels[remotecommand.StreamStdOut], s.channels[remotecommand.StreamStdErr])
	status, err := json.Marshal(ending(code, err))
	if err == nil {
		_, _ = s.channels[remotecommand.StreamErr].Write(status)
	}
}

// resize follows the size of the client's terminal.
func (s *session) resize(ctx context.Context) {
	decoder := json.NewDecoder(s.channels[remotecommand.StreamResize])
	sizes := make(chan engine.TerminalSize)
	go func() { // ends with the connection
		defer close(sizes)
		for {
			var size engine.TerminalSize
			if err := decoder.Decode(&size); err != nil {
				return
			}
			select {
			case sizes <- size:
			case <-ctx.Done():
				return
			}
		}
	}()
	var wanted engine.TerminalSize
	var again <-chan time.Time
	retries := 0
	for {
		select {
		case size, ok := <-sizes:
			if !ok {
				return
			}
			wanted, retries = size, 0
		case <-again:
		}
		again = nil
		if err := s.process.Resize(ctx, wanted); err != nil && retries < resizeRetries {
			retries++
			again = time.After(resizePause)
		}
	}
}

// ending is how the protocol tells of a process's end.
func ending(code int, err error) metav1.Status {
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		return metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Code: http.StatusInternalServerError, Message: err.Error()}
	case code == 0:
		return metav1.Status{Status: metav1.StatusSuccess}
	}
	return metav1.Status{
		Status:  metav1.StatusFailure,
		Reason:  remotecommand.NonZeroExitCodeReason,
		Message: fmt.Sprintf("command terminated with exit code %d", code),
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: strconv.Itoa(code)}}},
	}
}
