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

// The levels that slog has no names for: trace has more than debug, and only what ends
// the program is fatal.
const (
	LevelTrace = slog.LevelDebug - 4
	LevelFatal = slog.LevelError + 4
)

// ExitCodeKey is the key of the exit code in the last message of a program that fails.
const ExitCodeKey = "exit-code"

// Levels are the names of the levels, for a flag's help.
const Levels = "trace, debug, info, warn, error or fatal"

// JSON is the format in which each line is a JSON object.
const JSON = "json"

// Options configure a logger.
type Options struct {
	// Level is one of [Levels]; empty for what LevelEnv says, or warn.
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
	switch opts.Format {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: upperLevel})), nil
	case JSON:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: lowerLevel})), nil
	}
	return nil, fmt.Errorf("invalid log format %q: must be text or json", opts.Format)
}

// Messages returns the logger of what a program says to its user in JSON, whatever the
// level of its log.
func Messages(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: LevelTrace, ReplaceAttr: lowerLevel}))
}

// lowerLevel writes a level as in the flag.
func lowerLevel(groups []string, attr slog.Attr) slog.Attr {
	if level, ok := attr.Value.Any().(slog.Level); ok && len(groups) == 0 && attr.Key == slog.LevelKey {
		attr.Value = slog.StringValue(strings.ToLower(levelName(level)))
	}
	return attr
}

// upperLevel writes a level as slog does, with the names that slog lacks.
func upperLevel(groups []string, attr slog.Attr) slog.Attr {
	if level, ok := attr.Value.Any().(slog.Level); ok && len(groups) == 0 && attr.Key == slog.LevelKey {
		attr.Value = slog.StringValue(levelName(level))
	}
	return attr
}

// levelName returns the name of the highest named level that is not above one.
func levelName(level slog.Level) string {
	switch {
	case level >= LevelFatal:
		return "FATAL"
	case level < slog.LevelDebug:
		return "TRACE"
	}
	return level.String()
}

func parseLevel(name string) (slog.Level, error) {
	if name == "" {
		name = os.Getenv(LevelEnv)
	}
	switch strings.ToLower(name) {
	case "trace":
		return LevelTrace, nil
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "", "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	case "fatal":
		return LevelFatal, nil
	}
	return 0, fmt.Errorf("invalid log level %q: must be %s", name, Levels)
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
	switch {
	case log.Enabled(context.Background(), LevelTrace):
		return logrus.TraceLevel // kine's debug and trace levels are its SQL
	case log.Enabled(context.Background(), slog.LevelDebug):
		return logrus.InfoLevel
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
	case logrus.DebugLevel, logrus.TraceLevel:
		level = LevelTrace
	default: // level debug
	}
	h.log.LogAttrs(entry.Context, level, entry.Message, attrs...)
	return nil
}
