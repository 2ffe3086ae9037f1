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
	"sync"
	"time"

	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// Clients send the size of the terminal before the process runs, and setting it
	// fails until then.
	resizePause   = 20 * time.Millisecond
	resizeRetries = 250
	// maxSize bounds a message with the size of a terminal, in bytes.
	maxSize = 1 << 10
)

// Exec serves a process in the container whose ID ends the path, with Kubernetes'
// subprotocol v5.channel.k8s.io. The query has command, once for each argument,
// tty=true for a terminal, and stdin=false for a process without standard input.
func Exec(containers Find) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		options, process, err := prepare(request, containers)
		if err != nil {
			refuse(w, err)
			return
		}
		conn, err := accept(w, request, remotecommand.StreamProtocolV5Name)
		if err != nil {
			return // the upgrader has answered
		}
		s := session{process: process, options: options, conn: conn, sizes: make(chan engine.TerminalSize, 1), read: make(chan struct{})}
		s.run(request.Context())
	})
}

// prepare returns the requested process.
func prepare(request *http.Request, containers Find) (engine.ExecOptions, engine.Process, error) {
	var options engine.ExecOptions
	container, key, err := find(request, containers)
	if err != nil {
		return options, nil, err // before other errors of the request
	}
	if !wsstream.IsWebSocketRequestWithStreamCloseProtocol(request) {
		return options, nil, &refusal{http.StatusUpgradeRequired, metav1.StatusReasonBadRequest,
			fmt.Errorf("this endpoint requires a WebSocket with the subprotocol %s", remotecommand.StreamProtocolV5Name)}
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
		return options, nil, fmt.Errorf("%w: this engine can't run processes in containers", engine.ErrRefused)
	}
	process, err := execer.Exec(request.Context(), key, options)
	return options, process, err
}

// session is a process and its client.
type session struct {
	process engine.Process
	options engine.ExecOptions
	conn    *connection
	// sizes has the last size of the client's terminal.
	sizes chan engine.TerminalSize
	// read is closed when the client's messages have ended.
	read chan struct{}
}

// run runs the process, sends its result, and returns when the client has read it.
func (s *session) run(stopping context.Context) {
	ctx, cancel := context.WithCancel(stopping)
	input, write := io.Pipe()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer s.conn.close()
	defer cancel()
	parts.Go(func() {
		s.conn.sendPongs()
		cancel()
		_ = input.Close() // unblocks receive if the pipe is full
	})
	parts.Go(func() {
		s.receive(write)
		close(s.read)
		cancel()
		_ = write.Close()
		s.conn.close() // otherwise a write to a client that is gone would block
	})
	if s.options.TTY {
		parts.Go(func() { s.resize(ctx) })
	}
	var stdin io.Reader
	if s.options.Stdin {
		stdin = input
	} else {
		_ = input.Close()
	}
	code, err := s.process.Run(ctx, stdin, s.channel(remotecommand.StreamStdOut), s.channel(remotecommand.StreamStdErr))
	_ = input.Close() // discards further input
	if stopping.Err() != nil {
		err = errStopping
	}
	if status, failure := json.Marshal(ending(code, err)); failure == nil {
		_, _ = s.channel(remotecommand.StreamErr).Write(status)
	}
	s.conn.finish(stopping, websocket.CloseNormalClosure, "", s.read)
}

// errStopping is the result of a process that did not exit before the daemon stops.
var errStopping = errors.New("rdd is stopping and closed the connection to the process; the process may continue to run")

func (s *session) channel(number byte) channel { return channel{s.conn, number} }

// receive handles the client's messages until the connection is closed. It reads a
// message only as fast as the process reads its input.
func (s *session) receive(stdin *io.PipeWriter) {
	buffer := make([]byte, frameSize)
	for {
		_, message, err := s.conn.ws.NextReader()
		if err != nil {
			return
		}
		var number [1]byte
		if _, err := io.ReadFull(message, number[:]); err != nil {
			continue // an empty message; if the connection broke, the next read fails
		}
		switch number[0] {
		case remotecommand.StreamStdIn:
			s.pass(stdin, message, buffer)
		case remotecommand.StreamResize:
			s.takeSize(message)
		case remotecommand.StreamClose:
			if _, err := io.ReadFull(message, number[:]); err == nil && number[0] == remotecommand.StreamStdIn {
				_ = stdin.Close()
			}
		}
	}
}

// pass copies the rest of a message to the process. While the process does not read
// it, no other message is read, so a probe checks that the client is still connected.
func (s *session) pass(stdin io.Writer, message io.Reader, buffer []byte) {
	var mu sync.Mutex
	done := false // guarded by mu
	mu.Lock()
	var probe *time.Timer
	probe = time.AfterFunc(probePeriod, func() {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			s.conn.pong("")
			probe.Reset(probePeriod)
		}
	})
	mu.Unlock()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		probe.Stop()
	}()
	_, _ = io.CopyBuffer(struct{ io.Writer }{stdin}, message, buffer)
}

// takeSize queues the size of the client's terminal.
func (s *session) takeSize(message io.Reader) {
	var size engine.TerminalSize
	if err := json.NewDecoder(io.LimitReader(message, maxSize)).Decode(&size); err != nil {
		return
	}
	select {
	case <-s.sizes: // an older one
	default:
	}
	s.sizes <- size
}

// resize sets the size of the process's terminal to the client's.
func (s *session) resize(ctx context.Context) {
	var wanted engine.TerminalSize
	var again <-chan time.Time
	retries := 0
	for {
		select {
		case <-ctx.Done():
			return
		case wanted = <-s.sizes:
			retries = 0
		case <-again:
		}
		again = nil
		if err := s.process.Resize(ctx, wanted); err != nil && retries < resizeRetries {
			retries++
			again = time.After(resizePause)
		}
	}
}

// ending returns the protocol's message for the result of a process.
func ending(code int, err error) metav1.Status {
	switch {
	case err != nil:
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
