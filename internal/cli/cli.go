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
	_ "github.com/rancher-sandbox/rancher-desktop-daemon/internal/importorder/firstgc" // commands end before a collection pays off
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// developerEnv is the environment variable that shows the flags for RDD's developers.
const developerEnv = "RDD_DEVELOPER_MODE"

// Config holds the dependencies that a main package passes to the commands.
type Config struct {
	// Registry has every controller that the program knows.
	Registry manager.Registry
}

// env holds the state that all commands share.
type env struct {
	*command.Base
	registry manager.Registry
	// mayCreate is whether the command may create the instance if it does not exist.
	mayCreate bool
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

// explained adds the name of the full disk to an error that a full disk caused.
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
		Short: "Manage a container engine through a Kubernetes API",
		Long: `rdd runs a Kubernetes API server on this machine, connects it to a container engine,
and mirrors every container, image and volume of the engine as a Kubernetes object.

If Docker is already running, ` + "`rdd start`" + ` is all you need.

Exit codes: 0 success, 1 failure, 2 usage error, 3 refused by the API server, 4 timeout,
5 the running daemon has another version, 130 interrupted.`,
		Example: `  # Connect to the engine on this machine and list its containers
  rdd start
  rdd ps

  # List the containers with kubectl
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
		RunE: func(*cobra.Command, []string) error {
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

// addCommands adds all commands, and declares what each does if the instance does not
// exist.
func (e *env) addCommands(root *cobra.Command) {
	start, stop, set, status := e.startCommand(), e.stopCommand(), e.setCommand(), e.statusCommand()
	run, remove, reset, ctl := e.runCommand(), e.deleteAppCommand(), e.resetAppCommand(), e.ctlCommand()
	plain, completion := kubectlCommand(), e.completionCommand()
	absent(createsInstance, start, set, run)
	absent(createsDefault, ctl)
	absent(reportsAbsence, status, stop, remove, reset)
	get, list, environment, versionCmd := e.getCommand(), e.instancesCommand(), e.envCommand(), e.versionCommand()
	tools := e.toolCommands()
	absent(createsInstance, tools...)
	diagnose, uninstall, upgrade := e.diagnoseCommand(), e.uninstallCommand(), e.upgradeCommand()
	absent(needsNoInstance, plain, completion, list, uninstall)
	absent(reportsAbsence, upgrade)
	absent(reportsAbsence, versionCmd)
	root.AddCommand(start, stop, set, get, status, list, run, environment, versionCmd, remove, reset,
		e.psCommand("ps"), e.imagesCommand("images"), e.volumesCommand("volumes"), e.containerCommand(), e.imageCommand(), e.volumeCommand(), e.logsCommand(), e.execCommand(), e.shellCommand(), e.limaCommand(),
		e.serviceCommand(), diagnose, uninstall, upgrade, ctl, plain, completion)
	root.AddCommand(e.shortForms()...)
	root.AddCommand(tools...)
	groupCommands(root)
}

// service returns the service of the command's instance, which shows its progress
// with p.
func (e *env) service(p *progress) (*service.Service, error) {
	inst, err := e.Instance()
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &service.Service{Instance: inst, Executable: executable, Progress: p.update, MayMake: e.mayCreate}, nil
}

// hideUnlessDeveloper hides flags from users.
func hideUnlessDeveloper(cmd *cobra.Command, names ...string) {
	if os.Getenv(developerEnv) == "1" {
		return
	}
	for _, name := range names {
		_ = cmd.Flags().MarkHidden(name)
	}
}

func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "", "output `format`: json or yaml")
	completeFlag(cmd, "output", fixed("json", "yaml"))
}

// checkOutput refuses an unknown format.
func checkOutput(output string) error {
	switch output {
	case "", "json", "yaml":
		return nil
	}
	return command.Usage("unknown output format %q: must be json or yaml", output)
}

// printAs prints a value in a format that [checkOutput] accepted.
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
