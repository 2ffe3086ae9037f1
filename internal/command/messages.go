// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// JSON reports whether messages are JSON lines.
func (b *Base) JSON() bool { return b.Logging.Format == logging.JSON || b.Typed == logging.JSON }

// Say prints what a command did.
func (b *Base) Say(format string, args ...any) {
	_, _ = fmt.Fprintln(b.Messages(), printable.Lines(fmt.Sprintf(format, args...), 0))
}

// Messages returns the writer of what the program says to its user: standard error,
// where each line becomes a JSON object if that is the format.
func (b *Base) Messages() io.Writer {
	if !b.JSON() {
		return b.Stderr
	}
	return &jsonLines{log: logging.Messages(b.Stderr)}
}

// Exit says how the program ended, and returns its exit code.
func (b *Base) Exit(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return fault.ExitOK
	case errors.As(err, &exit):
		if exit.Message != "" {
			b.last(exit.Message, exit.Message, exit.Code)
		}
		return exit.Code
	}
	code := fault.ExitCode(err)
	b.last(fault.Prefix+err.Error(), err.Error(), code)
	return code
}

// Fatal says, as the program's last message, that it failed.
func (b *Base) Fatal(message string, code int) { b.last(message, message, code) }

// last prints the last message of a program that fails: text, or as JSON message with
// the exit code.
func (b *Base) last(text, message string, code int) {
	if b.JSON() {
		message = printable.Lines(strings.TrimPrefix(message, fault.Prefix), 0)
		logging.Messages(b.Stderr).Log(context.Background(), logging.LevelFatal, message, slog.Int(logging.ExitCodeKey, code))
		return
	}
	_, _ = fmt.Fprintln(b.Stderr, printable.Lines(text, 0))
}

// ExitError ends the program with an exit code, as that of a program that it ran and
// that has said what there is to say.
type ExitError struct {
	Code int
	// Message is the last message of the program; empty for none.
	Message string
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// jsonLines is a writer that makes a JSON object of each line. Lines that come in one
// piece are one message.
type jsonLines struct {
	log *slog.Logger

	mu   sync.Mutex
	rest []byte // guarded by mu; a line that has not ended
}

// Write implements [io.Writer].
func (l *jsonLines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, text...)
	end := bytes.LastIndexByte(l.rest, '\n')
	if end < 0 {
		return len(text), nil
	}
	if message := strings.TrimSpace(string(l.rest[:end])); message != "" {
		l.log.Info(message)
	}
	l.rest = append([]byte(nil), l.rest[end+1:]...)
	return len(text), nil
}
