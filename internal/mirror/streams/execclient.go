// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/kubectl/pkg/util/term"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// maxStatus bounds the message with the result of an exec, in bytes.
const maxStatus = 64 << 10

// exec is Exec for a prepared terminal, or without one. Kubernetes' client closes a
// connection if it has not read a pong for a minute, which happens behind a pager;
// this one waits as long as the connection lasts.
func (c *Client) exec(ctx context.Context, id string, options ExecOptions, sizes term.TerminalSizeQueue) error {
	query := url.Values{
		"command": options.Command,
		"tty":     {strconv.FormatBool(options.TTY)},
		"stdin":   {strconv.FormatBool(options.Stdin != nil)},
	}
	ws, err := c.dial(ctx, c.url("exec", id, query), remotecommand.StreamProtocolV5Name)
	if err != nil {
		return err
	}
	conn := newConnection(ws)
	defer conn.close()
	defer context.AfterFunc(ctx, conn.close)()
	// These goroutines end with the connection, except for a read of the standard
	// input, which ends with the program.
	go conn.sendPongs()
	if options.Stdin != nil {
		go sendInput(conn, options.Stdin)
	}
	if sizes != nil {
		go sendSizes(conn, sizes)
	}
	status, err := receiveOutput(conn, options)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(status) == 0 {
		return fmt.Errorf("the connection broke, and the exit code of the command is not known: %w", err)
	}
	return decodeEnding(status)
}

// sendInput sends the standard input, and its end.
func sendInput(conn *connection, stdin io.Reader) {
	if _, err := io.Copy(channel{conn, remotecommand.StreamStdIn}, stdin); err == nil {
		_ = conn.write([]byte{remotecommand.StreamClose, remotecommand.StreamStdIn}, nil)
	}
}

// sendSizes sends the sizes of the terminal.
func sendSizes(conn *connection, sizes term.TerminalSizeQueue) {
	for size := sizes.Next(); size != nil; size = sizes.Next() {
		message, err := json.Marshal(engine.TerminalSize{Width: size.Width, Height: size.Height})
		if err != nil || conn.write([]byte{remotecommand.StreamResize}, message) != nil {
			return
		}
	}
}

// receiveOutput copies the output of the command, and returns the message with its
// result. The error is why the connection ended.
func receiveOutput(conn *connection, options ExecOptions) (status []byte, err error) {
	outputs := map[byte]io.Writer{remotecommand.StreamStdOut: options.Stdout, remotecommand.StreamStdErr: options.Stderr}
	buffer := make([]byte, frameSize)
	for {
		_, message, err := conn.ws.NextReader()
		if err != nil {
			return status, err
		}
		var number [1]byte
		if _, err := io.ReadFull(message, number[:]); err != nil {
			continue // an empty message; if the connection broke, the next read fails
		}
		if number[0] == remotecommand.StreamErr {
			part, _ := io.ReadAll(io.LimitReader(message, int64(maxStatus-len(status))))
			status = append(status, part...)
			continue
		}
		output := outputs[number[0]]
		if output == nil {
			continue
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{output}, message, buffer); err != nil {
			outputs[number[0]] = nil // discard further output; the exit code still counts
		}
	}
}

// decodeEnding decodes the message of ending.
func decodeEnding(message []byte) error {
	var status metav1.Status
	if err := json.Unmarshal(message, &status); err != nil {
		return fmt.Errorf("decode the result of the command: %w", err)
	}
	if status.Status == metav1.StatusSuccess {
		return nil
	}
	if status.Reason == remotecommand.NonZeroExitCodeReason && status.Details != nil {
		for _, cause := range status.Details.Causes {
			code, err := strconv.ParseUint(cause.Message, 10, 8)
			if cause.Type == remotecommand.ExitCodeCauseType && err == nil {
				return exec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: int(code)}
			}
		}
	}
	return errors.New(status.Message)
}
