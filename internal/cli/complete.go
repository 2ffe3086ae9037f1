// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/execve"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/kubectl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/properties"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// completionLimit bounds the requests of a completion, because the user waits at the
// keyboard. A completion starts no daemon and reports no errors.
const completionLimit = 800 * time.Millisecond

// appDefinition is the definition of the App among the files of its group.
const appDefinition = "crds/app.rancherdesktop.io_apps.yaml"

// mark encloses code in help texts. Shells would show it as it is.
const mark = "`"

// unmark removes the marks from the texts of a command, its flags and its subcommands.
func unmark(cmd *cobra.Command) {
	cmd.Short = strings.ReplaceAll(cmd.Short, mark, "")
	plain := func(flag *pflag.Flag) { flag.Usage = strings.ReplaceAll(flag.Usage, mark, "") }
	cmd.Flags().VisitAll(plain)
	cmd.PersistentFlags().VisitAll(plain)
	for _, below := range cmd.Commands() {
		unmark(below)
	}
}

const noFiles = cobra.ShellCompDirectiveNoFileComp

func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	_ = cmd.RegisterFlagCompletionFunc(flag, printableOnly(complete)) // it fails only if the flag does not exist
}

func fixed(values ...cobra.Completion) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, noFiles)
}

func completeInstances(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, _ := instance.Names()
	return names, noFiles
}

// whileRunning calls do with a client of the daemon, if the daemon is ready.
func (e *env) whileRunning(ctx context.Context, do func(context.Context, ctrlclient.WithWatch)) {
	inst, err := e.Instance()
	if err != nil {
		return
	}
	daemon, err := inst.Daemon()
	if err != nil || daemon == nil || !daemon.Ready {
		return
	}
	c, err := client.New(inst.ConfigFile())
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, completionLimit)
	defer cancel()
	do(ctx, c)
}

// completeEngines completes to the value of each ContainerEngine.
func (e *env) completeEngines(value func(*containersv1alpha1.ContainerEngine) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) (values []cobra.Completion, _ cobra.ShellCompDirective) {
		e.whileRunning(cmd.Context(), func(ctx context.Context, c ctrlclient.WithWatch) {
			var list containersv1alpha1.ContainerEngineList
			_ = c.List(ctx, &list) // without a list there are no completions
			for i := range list.Items {
				values = append(values, value(&list.Items[i]))
			}
		})
		return sorted(values), noFiles
	}
}

// sorted returns each value once, in order.
func sorted(values []cobra.Completion) []cobra.Completion {
	slices.Sort(values)
	return slices.Compact(values)
}

// without returns the values that are not among the given ones.
func without(values, given []string) []cobra.Completion {
	return slices.DeleteFunc(values, func(value string) bool { return slices.Contains(given, value) })
}

// completeContainers completes the first argument to a container's name or, if no name
// matches, to its ID; if running is set, only to those of running containers.
func (e *env) completeContainers(scope *listing.Scope, running bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		e.whileRunning(cmd.Context(), func(ctx context.Context, c ctrlclient.WithWatch) {
			l := listing.Lister{Client: c, Scope: *scope}
			names, _ = l.Complete(ctx, prefix, running)
		})
		return names, noFiles
	}
}

func (e *env) completePaths(_ *cobra.Command, args []string, _ string) (keys []cobra.Completion, _ cobra.ShellCompDirective) {
	if inst, err := e.Instance(); err == nil && len(args) == 0 {
		for _, path := range inst.Paths() {
			keys = append(keys, path.Key)
		}
	}
	return keys, noFiles
}

// completePrograms completes the first argument to a program, and the others to files.
func (e *env) completePrograms(_ *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	inst, err := e.Instance()
	if err != nil || len(args) > 0 || filepath.Base(prefix) != prefix {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return execve.Programs(prefix, execve.PrependPath(inst.BinDir(), os.Getenv("PATH"))), noFiles
}

// completeProperties completes PROPERTY, and then its VALUE if only some are valid.
func (e *env) completeProperties(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	set := e.knownProperties(cmd.Context())
	if set == nil {
		return nil, noFiles
	}
	if name, _, ok := strings.Cut(prefix, "="); ok {
		return valuesOf(set, name), noFiles
	}
	given := map[string]bool{}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		given[name] = true
	}
	var names []cobra.Completion
	for _, property := range set.All() {
		if !given[property.Name] {
			help, _, _ := strings.Cut(strings.ReplaceAll(property.Help, "\n", " "), ". ")
			names = append(names, cobra.CompletionWithDesc(property.Name+"=", strings.ReplaceAll(help, mark, "")))
		}
	}
	return names, noFiles | cobra.ShellCompDirectiveNoSpace
}

// valuesOf returns the valid assignments of a property; none if any value is valid.
func valuesOf(set *properties.Set, name string) (assignments []cobra.Completion) {
	for _, property := range set.All() {
		if property.Name == name {
			for _, value := range property.Values() {
				assignments = append(assignments, name+"="+value)
			}
		}
	}
	return assignments
}

// knownProperties returns the properties that the running daemon serves, or, if none
// runs, those that a daemon of this version would serve.
func (e *env) knownProperties(ctx context.Context) *properties.Set {
	var set *properties.Set
	e.whileRunning(ctx, func(ctx context.Context, c ctrlclient.WithWatch) {
		session := client.Session{Connect: func() (ctrlclient.WithWatch, error) { return c, nil }}
		set, _ = session.AppProperties(ctx)
	})
	if set != nil {
		return set
	}
	definitions, err := manifest.ParseDefinitions([]manifest.Source{{Files: appv1alpha1.Files, Path: appDefinition}})
	if err != nil || len(definitions) == 0 {
		return nil
	}
	set, _ = client.PropertiesOf(definitions[0])
	return set
}

// completeKubectl completes the arguments of `rdd ctl` and `rdd kubectl`, which have
// their own command trees. ok reports whether args request such a completion.
func (e *env) completeKubectl(args []string) (code int, ok bool) {
	if len(args) < 3 || (args[0] != cobra.ShellCompRequestCmd && args[0] != cobra.ShellCompNoDescRequestCmd) {
		return 0, false
	}
	request, before, last := args[0], args[1:len(args)-1], args[len(args)-1]
	if _, rest, ok := splitAt("kubectl", before); ok {
		return kubectl.Main(append(append([]string{request}, rest...), last)), true
	}
	global, rest, ok := splitAt("ctl", before)
	if !ok {
		return 0, false
	}
	rest = append(global, rest...)
	e.InstanceName, _ = instanceFlag(rest)
	inst, err := e.Instance()
	if err != nil {
		return e.Exit(err), true
	}
	// kubectl itself waits without a limit for a server that does not answer.
	watchdog := time.AfterFunc(completionLimit, func() {
		_, _ = fmt.Fprintf(e.Stdout, ":%d\n", noFiles)
		os.Exit(0)
	})
	defer watchdog.Stop()
	bound := e.bound(inst)
	bound.Streams.ErrOut = io.Discard
	return bound.Run(append(append([]string{request}, rest...), last)), true
}
