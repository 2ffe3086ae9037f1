// SPDX-License-Identifier: Apache-2.0

// Package command is the common part of RDD's programs: the global flags, the log,
// usage errors, and the exit code.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
)

// Base is the common state of a program's commands.
type Base struct {
	Stdout io.Writer
	Stderr io.Writer

	// Global flags.
	InstanceName string
	Logging      logging.Options
	// Typed is the value of --log-format as far as it is known before the flags are
	// parsed, for errors about them. It counts until [Base.Logger] is called.
	Typed string

	// Ending, in a program that runs until a signal, returns the reason for which it
	// stops, and nil until then. It may be nil itself.
	Ending func() error
	// Dying, which may be nil, handles a library that exits the program, and returns
	// the exit code. The default is [Base.Exit].
	Dying func(reason error) int
}

// New returns a Base with the standard streams.
func New() *Base { return &Base{Stdout: os.Stdout, Stderr: os.Stderr} }

// AddFlags adds the global flags.
func (b *Base) AddFlags(flags *pflag.FlagSet) {
	flags.Var((*instanceName)(&b.InstanceName), "instance", "the `name` of the instance (default: "+instance.NameEnv+", or "+instance.DefaultName+")")
	flags.StringVar(&b.Logging.Level, "log-level", "", "the `level` of detail in logs: "+logging.Levels+" (default: "+logging.LevelEnv+", or warn)")
	flags.StringVar(&b.Logging.Format, "log-format", "", "the `format` of logs, and of messages on standard error: text or json")
}

// instanceName is the [pflag.Value] of an instance's name. An empty value is an error,
// because it usually is an unset variable: it must not select the default.
type instanceName string

// Set implements [pflag.Value].
func (n *instanceName) Set(text string) error {
	*n = instanceName(text)
	return instance.CheckName(text)
}

// String implements [pflag.Value].
func (n *instanceName) String() string { return string(*n) }

// Type implements [pflag.Value].
func (n *instanceName) Type() string { return "string" }

// Instance returns the instance of the command, after checking that no other user
// controls its files.
func (b *Base) Instance() (*instance.Instance, error) {
	inst, err := instance.New(b.InstanceName)
	if err != nil {
		return nil, err
	}
	return inst, inst.Check()
}

// CheckLogging rejects invalid logging flags.
func (b *Base) CheckLogging() error {
	_, err := b.newLogger(io.Discard)
	return err
}

func (b *Base) newLogger(w io.Writer) (*slog.Logger, error) {
	log, err := logging.New(w, b.Logging)
	if err != nil {
		return nil, Usage("%w", err)
	}
	return log, nil
}

// Logger creates the program's logger, which writes to standard error and receives the
// libraries' logs. It is created once: some libraries accept only one.
func (b *Base) Logger() (*slog.Logger, error) {
	log, err := b.newLogger(b.Stderr)
	if err != nil {
		return nil, err
	}
	b.Typed = ""
	ending := func() bool { return b.Ending != nil && b.Ending() != nil }
	logging.Capture(log, ending, func(reason string) {
		if ending() {
			runtime.Goexit() // the library must not continue, and the program is exiting
		}
		exit := b.Dying
		if exit == nil {
			exit = b.Exit
		}
		os.Exit(exit(errors.New(reason)))
	})
	return log, nil
}

// Usage is an error in the command line.
func Usage(format string, args ...any) error {
	return fault.New(fault.Usage, "", "", fmt.Errorf(format, args...))
}

// FlagError is the [cobra.Command.FlagErrorFunc] of all commands.
func FlagError(command *cobra.Command, err error) error {
	return Usage("%w; see `%s --help`", err, command.CommandPath())
}

// suggestionDistance is the maximum edit distance of a suggested command.
const suggestionDistance = 2

// Similar returns the names that are similar to a misspelt one.
func Similar(name string, names []string) []string {
	parent := &cobra.Command{SuggestionsMinimumDistance: suggestionDistance}
	for _, known := range names {
		parent.AddCommand(&cobra.Command{Use: known, Run: func(*cobra.Command, []string) {}})
	}
	return parent.SuggestionsFor(name)
}

// NoArgs is a [cobra.PositionalArgs] for commands without arguments.
func NoArgs(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if command.HasSubCommands() {
		command.SuggestionsMinimumDistance = suggestionDistance
		hint := ""
		if similar := command.SuggestionsFor(args[0]); len(similar) > 0 {
			hint = " (did you mean " + strings.Join(similar, " or ") + "?)"
		}
		return Usage("unknown command %q for %q%s; see `%s --help`", args[0], command.CommandPath(), hint, command.CommandPath())
	}
	return Usage("unexpected argument %q; see `%s --help`", args[0], command.CommandPath())
}

// MaxPort is the highest port.
const MaxPort = 65535

// CheckPort rejects an invalid port. 0 selects a free port.
func CheckPort(flag string, port int) error {
	if port < 0 || port > MaxPort {
		return Usage("--%s: invalid port %d: must be 0 to %d", flag, port, MaxPort)
	}
	return nil
}

// UntilSignal returns a context that ends at the first request to stop; a second
// request exits the process immediately. On Windows, Go reports CTRL_C and CTRL_BREAK
// as an interrupt, and closing as SIGTERM. Closing a terminal is a request too, except
// for a process that ignores SIGHUP (nohup).
func (b *Base) UntilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop)
	b.Ending = ctx.Err
	return ctx, stop
}
