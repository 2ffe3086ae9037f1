// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line of rdd: one file for each command. What the
// commands do is in the packages that they call.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/kubectl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// developerEnv shows the flags that are for those who work on RDD.
const developerEnv = "RDD_DEVELOPER_MODE"

// Config is what a main package wires into the commands.
type Config struct {
	// Registry has every controller that the program knows.
	Registry manager.Registry
}

// env is what all commands share.
type env struct {
	registry manager.Registry
	stdout   io.Writer
	stderr   io.Writer

	// Global flags.
	instanceName string
	logging      logging.Options

	// ending tells, in a daemon, why it is to end, and nil until then.
	ending func() error
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, cfg Config, args []string) int {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name == "kubectl" {
		return kubectl.Main(args[1:])
	}
	if len(args) > 1 && args[1] == "kubectl" {
		return kubectl.Main(args[2:])
	}
	e := &env{registry: cfg.Registry, stdout: os.Stdout, stderr: os.Stderr}
	if rest, ok := ctlArgs(args[1:]); ok {
		return e.ctl(ctx, rest)
	}
	root := e.root()
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return fault.ExitOK
	case errors.As(err, &exit):
		return exit.code
	}
	_, _ = fmt.Fprintf(e.stderr, "%s%v\n", fault.Prefix, err)
	return fault.ExitCode(err)
}

// exitError ends the program with the exit code of a program that it ran.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rdd",
		Short: "Rancher Desktop daemon: a container engine with a Kubernetes API in front of it",
		Long: `rdd runs a Kubernetes API server on this machine, connects it to a container engine,
and shows every container, image and volume of the engine as a Kubernetes object.`,
		Version:       version.RDD() + " (Kubernetes " + version.Kubernetes() + ")",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			_, err := e.logger(e.stderr)
			return err
		},
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	e.addGlobalFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return usageError("%w; see `%s --help`", err, command.CommandPath())
	})
	root.AddGroup(&cobra.Group{ID: "app", Title: "Commands:"}, &cobra.Group{ID: "low", Title: "Below the surface:"})
	for _, command := range []*cobra.Command{e.setCommand(), e.startCommand(), e.stopCommand(), e.statusCommand()} {
		command.GroupID = "app"
		root.AddCommand(command)
	}
	for _, command := range []*cobra.Command{e.serviceCommand(), e.ctlCommand(), kubectlCommand()} {
		command.GroupID = "low"
		root.AddCommand(command)
	}
	return root
}

func (e *env) addGlobalFlags(flags *pflag.FlagSet) {
	flags.StringVar(&e.instanceName, "instance", "", "the `name` of the instance (default: "+instance.NameEnv+", or "+instance.DefaultName+")")
	flags.StringVar(&e.logging.Level, "log-level", "", "the `level` of detail in logs: debug, info, warn or error (default: "+logging.LevelEnv+", or warn)")
	flags.StringVar(&e.logging.Format, "log-format", "", "the `format` of logs: text or json")
}

// usageError is an error of whoever typed the command.
func usageError(format string, args ...any) error {
	return fault.New(fault.Usage, "", "", fmt.Errorf(format, args...))
}

func noArgs(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if command.HasSubCommands() {
		return usageError("unknown command %q for %q; see `%s --help`", args[0], command.CommandPath(), command.CommandPath())
	}
	return usageError("unexpected argument %q; see `%s --help`", args[0], command.CommandPath())
}

// instance returns the instance that the command is for.
func (e *env) instance() (*instance.Instance, error) { return instance.New(e.instanceName) }

// service returns the service of the instance that the command is for, with
// progress shown on standard error.
func (e *env) service(p *progress) (*service.Service, error) {
	inst, err := e.instance()
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &service.Service{Instance: inst, Executable: executable, Progress: p.update}, nil
}

// say prints what a command did.
func (e *env) say(format string, args ...any) {
	_, _ = fmt.Fprintf(e.stderr, format+"\n", args...)
}

// logger makes the program's logger, and leads the libraries' into it.
func (e *env) logger(w io.Writer) (*slog.Logger, error) {
	log, err := logging.New(w, e.logging)
	if err != nil {
		return nil, usageError("%w", err)
	}
	logging.Capture(log, func(reason string) {
		if e.ending != nil && e.ending() != nil {
			runtime.Goexit() // what it waited for won't come any more, and that is all
		}
		log.Error("a library ended the program", "reason", reason)
		os.Exit(fault.ExitFailed)
	})
	return log, nil
}

// hideUnlessDeveloper hides flags that are not for users.
func hideUnlessDeveloper(command *cobra.Command, names ...string) {
	if os.Getenv(developerEnv) == "1" {
		return
	}
	for _, name := range names {
		_ = command.Flags().MarkHidden(name)
	}
}

func printJSON(w io.Writer, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
