// SPDX-License-Identifier: Apache-2.0

// Package logging creates the logger of a program, and redirects the libraries' logs to
// it: those of Kubernetes (klog), controller-runtime (logr) and the store (logrus).
package logging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/sirupsen/logrus"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// LevelEnv sets the level if no flag does.
const LevelEnv = "RDD_LOG_LEVEL"

// Options configure a logger.
type Options struct {
	// Level is debug, info, warn or error; if empty, LevelEnv's, or warn.
	Level string
	// Format is text or json; empty for text.
	Format string
}

// New returns a logger that writes to w.
func New(w io.Writer, opts Options) (*slog.Logger, error) {
	level, err := parseLevel(opts.Level)
	if err != nil {
		return nil, err
	}
	handlerOptions := &slog.HandlerOptions{Level: level}
	switch opts.Format {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, handlerOptions)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, handlerOptions)), nil
	}
	return nil, fmt.Errorf("invalid log format %q: must be text or json", opts.Format)
}

func parseLevel(name string) (slog.Level, error) {
	if name == "" {
		name = os.Getenv(LevelEnv)
	}
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "", "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("invalid log level %q: must be debug, info, warn or error", name)
}

// Capture redirects the logs of the libraries to log. A library that would exit the
// process calls die with its reason instead, which must not return. While ending
// returns true, libraries' errors are logged at level debug: the shutdown causes them.
// ending may be nil.
func Capture(log *slog.Logger, ending func() bool, die func(reason string)) {
	if ending == nil {
		ending = func() bool { return false }
	}
	handler := libraryHandler{log.Handler(), ending, nil}
	ofKlog := libraryHandler{log.Handler(), ending, &atomic.Pointer[string]{}}
	klog.SetLogger(logr.FromSlogHandler(ofKlog))
	klog.OsExit = func(code int) {
		die(fmt.Sprintf("a Kubernetes library exited with code %d: %s", code, ofKlog.lastWords()))
	}
	ctrllog.SetLogger(logr.FromSlogHandler(handler))
	utilruntime.ErrorHandlers[0] = unhandled(slog.New(handler)) // replaces its own logging
	logrus.SetOutput(io.Discard)
	logrus.SetLevel(logrusLevel(log))
	logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
	logrus.AddHook(logrusHook{slog.New(handler), die})
}

// libraryHandler demotes libraries' information to debug, and during shutdown their
// errors too: users of the daemon don't need them.
type libraryHandler struct {
	slog.Handler
	ending func() bool
	// last is the last text of klog's own functions; nil for other libraries. klog logs
	// fatal messages as information before it exits the program.
	last *atomic.Pointer[string]
}

// lastWords returns why klog exits the program.
func (h libraryHandler) lastWords() string {
	if text := h.last.Load(); text != nil {
		line, _, _ := strings.Cut(*text, "\n")
		return line
	}
	return "no error message"
}

// Enabled implements [slog.Handler].
func (h libraryHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.last != nil || h.Handler.Enabled(ctx, h.demote(level))
}

// Handle implements [slog.Handler]. Some callers don't call Enabled first.
func (h libraryHandler) Handle(ctx context.Context, record slog.Record) error {
	if h.last != nil {
		h.last.Store(&record.Message)
	}
	record.Level = h.demote(record.Level)
	if !h.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (h libraryHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return libraryHandler{h.Handler.WithAttrs(attrs), h.ending, h.last}
}

// WithGroup implements [slog.Handler].
func (h libraryHandler) WithGroup(name string) slog.Handler {
	return libraryHandler{h.Handler.WithGroup(name), h.ending, h.last}
}

func (h libraryHandler) demote(level slog.Level) slog.Level {
	if level == slog.LevelInfo || h.ending() {
		return min(level, slog.LevelDebug)
	}
	return level
}

// unhandled logs errors that the API server can return to no client. A request that its
// client canceled is logged at level debug: the API server reports the cancellation or
// the disconnect as an error. A timeout is an error, as the context's cause tells.
func unhandled(log *slog.Logger) utilruntime.ErrorHandler {
	return func(ctx context.Context, err error, msg string, keysAndValues ...any) {
		level := slog.LevelError
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			level = slog.LevelDebug
		case err != nil:
			text := err.Error() // some errors are not wrapped
			if strings.HasSuffix(text, context.Canceled.Error()) || strings.HasSuffix(text, http.ErrHandlerTimeout.Error()) {
				level = slog.LevelDebug
			}
			keysAndValues = append([]any{"error", err}, keysAndValues...)
		}
		log.Log(ctx, level, msg, keysAndValues...)
	}
}

func logrusLevel(log *slog.Logger) logrus.Level {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return logrus.InfoLevel // kine's debug and trace levels are its SQL
	}
	return logrus.WarnLevel
}

// logrusHook forwards entries.
type logrusHook struct {
	log *slog.Logger
	die func(reason string)
}

// Levels implements [logrus.Hook].
func (logrusHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements [logrus.Hook].
func (h logrusHook) Fire(entry *logrus.Entry) error {
	attrs := make([]slog.Attr, 0, len(entry.Data))
	for key, value := range entry.Data {
		attrs = append(attrs, slog.Any(key, value))
	}
	level := slog.LevelInfo
	switch entry.Level {
	case logrus.PanicLevel, logrus.FatalLevel:
		h.die(entry.Message)
	case logrus.ErrorLevel:
		level = slog.LevelError
	case logrus.WarnLevel:
		level = slog.LevelWarn
	default: // level debug
	}
	h.log.LogAttrs(entry.Context, level, entry.Message, attrs...)
	return nil
}
