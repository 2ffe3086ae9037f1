// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line of rdd: one file for each command. What the
// commands do is in the packages that they call.
package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/kubectl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/diskroom"
	_ "github.com/rancher-sandbox/rancher-desktop-daemon/internal/importorder/firstgc" // no command is so short that it pays for collections
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
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
	*command.Base
	registry manager.Registry
	// makes is whether the command may make the instance, if there is none.
	makes bool
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, cfg Config, args []string) int {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name == "kubectl" {
		return kubectl.Main(args[1:])
	}
	if _, rest, ok := splitAt("kubectl", args[1:]); ok {
		return runKubectl(rest)
	}
	e := &env{Base: command.New(), registry: cfg.Registry}
	e.Typed = typedFormat(args[1:])
	if code, ok := e.completeKubectl(args[1:]); ok {
		return code
	}
	if code, ok := e.runTool(ctx, args[1:]); ok {
		return code
	}
	if global, rest, ok := splitAt("ctl", args[1:]); ok {
		return e.ctl(ctx, append(global, rest...))
	}
	root := e.root()
	if len(args) > 1 && args[1] == cobra.ShellCompRequestCmd {
		unmark(root)
	}
	completePrintable(root)
	answerHabits(root, args[1:])
	root.SetArgs(args[1:])
	return e.Exit(e.explained(root.ExecuteContext(ctx)))
}

// explained returns err, and if that is for want of room on a disk, on which.
func (e *env) explained(err error) error {
	inst, named := e.Instance()
	if err == nil || named != nil {
		return err
	}
	return diskroom.Explain(err, inst.Written()...)
}

// Commands returns the tree of all commands, for its documentation.
func Commands(cfg Config) *cobra.Command {
	e := &env{Base: command.New(), registry: cfg.Registry}
	return e.root()
}

func (e *env) root() *cobra.Command {
	var shown string
	root := &cobra.Command{
		Use:   "rdd",
		Short: "Rancher Desktop daemon: a container engine with a Kubernetes API in front of it",
		Long: `rdd runs a Kubernetes API server on this machine, connects it to a container engine,
and shows every container, image and volume of the engine as a Kubernetes object.

` + "`rdd start`" + ` is all that is needed where Docker runs already. The exit code of every
command is 0 when it is done, 1 when it failed, 2 when the command line is wrong, 3 when the
API server refused, 4 when the time for a wait is over, 5 when the daemon that runs is another
version, and 130 when it was interrupted.`,
		Example: `  # Connect to the engine that is there, and look at what is in it
  rdd start
  rdd ps

  # The same with a Kubernetes client
  rdd ctl get containers --all-namespaces`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          command.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := e.Logger(); err != nil {
				return err
			}
			return e.checkInstance(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if shown != "" {
				return e.printVersion(shown)
			}
			return e.printFirst()
		},
	}
	setHelp(root)
	addVersionFlag(root, &shown)
	e.AddFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(command.FlagError)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	completeFlag(root, "instance", completeInstances)
	completeFlag(root, "log-level", fixed("trace", "debug", "info", "warn", "error", "fatal"))
	completeFlag(root, "log-format", fixed("text", "json"))
	e.addCommands(root)
	return root
}

// addCommands adds all commands, and declares what each does about an instance that
// does not exist.
func (e *env) addCommands(root *cobra.Command) {
	start, stop, set, status := e.startCommand(), e.stopCommand(), e.setCommand(), e.statusCommand()
	run, remove, reset, ctl := e.runCommand(), e.deleteAppCommand(), e.resetAppCommand(), e.ctlCommand()
	plain, completion := kubectlCommand(), e.completionCommand()
	absent(makesIt, start, set, run)
	absent(makesDefault, ctl)
	absent(saysSo, status, stop, remove, reset)
	get, list, environment, versionCmd := e.getCommand(), e.instancesCommand(), e.envCommand(), e.versionCommand()
	tools := e.toolCommands()
	absent(makesIt, tools...)
	diagnose, uninstall, upgrade := e.diagnoseCommand(), e.uninstallCommand(), e.upgradeCommand()
	absent(needsNone, plain, completion, list, uninstall)
	absent(saysSo, upgrade)
	absent(saysSo, versionCmd)
	root.AddCommand(start, stop, set, get, status, list, run, environment, versionCmd, remove, reset,
		e.psCommand(), e.imagesCommand(), e.volumesCommand(), e.logsCommand(), e.execCommand(), e.shellCommand(), e.limaCommand(),
		e.serviceCommand(), diagnose, uninstall, upgrade, ctl, plain, completion)
	root.AddCommand(tools...)
	groupCommands(root)
}

// service returns the service of the instance that the command is for, with
// progress shown on standard error.
func (e *env) service(p *progress) (*service.Service, error) {
	inst, err := e.Instance()
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &service.Service{Instance: inst, Executable: executable, Progress: p.update, MayMake: e.makes}, nil
}

// hideUnlessDeveloper hides flags that are not for users.
func hideUnlessDeveloper(cmd *cobra.Command, names ...string) {
	if os.Getenv(developerEnv) == "1" {
		return
	}
	for _, name := range names {
		_ = cmd.Flags().MarkHidden(name)
	}
}

func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "", "the `format`: json or yaml")
	completeFlag(cmd, "output", fixed("json", "yaml"))
}

// checkOutput refuses a format that there is not.
func checkOutput(output string) error {
	switch output {
	case "", "json", "yaml":
		return nil
	}
	return command.Usage("unknown format %q: json or yaml", output)
}

// printAs prints a value in a format that was checked.
func printAs(w io.Writer, output string, value any) error {
	if output == "json" {
		return printJSON(w, value)
	}
	data, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func printJSON(w io.Writer, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
