// SPDX-License-Identifier: Apache-2.0

// Package logging makes the one logger of a program, and leads the logs of the
// libraries into it: those of Kubernetes (klog), of its controllers (logr) and
// of the store (logrus).
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

// LevelEnv sets the level where no flag does.
const LevelEnv = "RDD_LOG_LEVEL"

// Options say what is logged and how.
type Options struct {
	// Level is debug, info, warn or error; empty for what LevelEnv says, or warn.
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
	return nil, fmt.Errorf("invalid log format %q: text or json", opts.Format)
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
	return 0, fmt.Errorf("invalid log level %q: debug, info, warn or error", name)
}

// Capture leads the logs of the libraries to log. A library that would end the
// process calls die instead, with its reason, and must not return from it. Once
// ending is true, errors of libraries are details: they are of what was cut short. It
// may be nil.
func Capture(log *slog.Logger, ending func() bool, die func(reason string)) {
	if ending == nil {
		ending = func() bool { return false }
	}
	handler := libraryHandler{log.Handler(), ending, nil}
	ofKlog := libraryHandler{log.Handler(), ending, &atomic.Pointer[string]{}}
	klog.SetLogger(logr.FromSlogHandler(ofKlog))
	klog.OsExit = func(code int) { die(fmt.Sprintf("a Kubernetes library gave up (%d): %s", code, ofKlog.lastWords())) }
	ctrllog.SetLogger(logr.FromSlogHandler(handler))
	utilruntime.ErrorHandlers[0] = unhandled(slog.New(handler)) // in the place of its own log
	logrus.SetOutput(io.Discard)
	logrus.SetLevel(logrusLevel(log))
	logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
	logrus.AddHook(logrusHook{slog.New(handler), die})
}

// libraryHandler demotes what libraries call information, and at the end of the
// program what they call errors: it is detail to the user of the daemon.
type libraryHandler struct {
	slog.Handler
	ending func() bool
	// last is what klog's own functions said last; nil for other libraries. They log
	// what is fatal as information, before they end the program.
	last *atomic.Pointer[string]
}

// lastWords is why klog ends the program.
func (h libraryHandler) lastWords() string {
	if text := h.last.Load(); text != nil {
		line, _, _ := strings.Cut(*text, "\n")
		return line
	}
	return "it did not say why"
}

// Enabled implements [slog.Handler].
func (h libraryHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.last != nil || h.Handler.Enabled(ctx, h.demote(level))
}

// Handle implements [slog.Handler]. Not every caller asks Enabled before.
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

// unhandled logs what the API server can give to no caller. It is detail where a
// client gave up its request, of which the API server tells as of errors: that the
// request has been canceled, or that its client has disconnected. One that
// took too long is an error, and its context says so.
func unhandled(log *slog.Logger) utilruntime.ErrorHandler {
	return func(ctx context.Context, err error, msg string, keysAndValues ...any) {
		level := slog.LevelError
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			level = slog.LevelDebug
		case err != nil:
			text := err.Error() // not all is wrapped
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

// logrusHook passes entries on.
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
	default: // detail
	}
	h.log.LogAttrs(entry.Context, level, entry.Message, attrs...)
	return nil
}
