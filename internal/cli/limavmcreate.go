// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/limaclient"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

const (
	// maxTemplate is how long a template may be, in bytes: a ConfigMap takes 1 MiB.
	maxTemplate = 1<<20 - 4<<10

	// sourceLimit is how long the removal of the template's source may take.
	sourceLimit = 5 * time.Second
)

func (e *env) vmCreateCommand() *cobra.Command {
	var f waitFlags
	var template, namespace string
	var params []string
	start, dryRun := true, false
	cmd := &cobra.Command{
		Use:   "create NAME FILE|CONFIGMAP",
		Short: "Make a virtual machine of a template, start it, and wait until it runs",
		Long: `Make a virtual machine of a template, which is a whole lima.yaml, start it, and wait
until it runs. The template is copied: ` + "`rdd limavm edit`" + ` changes the copy. The first
start downloads the image that the template names.

What was made stays when the wait is interrupted, or its time is over: the daemon goes
on. ` + "`rdd limavm delete`" + ` gives it up.`,
		Example: `  rdd limavm create web lima.yaml
  rdd limavm create web my-template --namespace default
  rdd limavm create web lima.yaml --dry-run
  rdd limavm create web --template lima.yaml --param SIZE=big --start=false
  limactl template copy template:debian - | rdd limavm create web --template -`,
		Args: nameAndTemplate,
		RunE: func(cmd *cobra.Command, args []string) error {
			machine, err := newMachine(args, template, namespace, params, start)
			if err != nil {
				return err
			}
			if machine.DryRun = dryRun; dryRun {
				return e.withAppAsFound(cmd.Context(), f.timeout, func(a *appSession) error { return a.tryCreate(machine) })
			}
			return e.withApp(cmd.Context(), f.timeout, func(a *appSession) error { return a.create(machine, f.wait) })
		},
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return nil, cobra.ShellCompDirectiveDefault // the file
		}
		return nil, noFiles
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check whether it would be made; nothing is changed")
	e.addVMFlags(cmd, &f, &namespace, "it runs")
	cmd.Flags().Lookup("namespace").Usage = "the `namespace` of its objects (default: the App's)"
	cmd.Flags().StringVar(&template, "template", "", "the `file` with the template; - for standard input")
	completeFlag(cmd, "template", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	cmd.Flags().StringArrayVar(&params, "param", nil, "a value for a parameter of the template, as `NAME=VALUE`; may be repeated")
	cmd.Flags().BoolVar(&start, "start", start, "start it")
	return cmd
}

// newMachine returns the virtual machine that a command line asks for.
func newMachine(args []string, template, namespace string, params []string, start bool) (limaclient.Machine, error) {
	name := args[0]
	m := limaclient.Machine{Name: name, Namespace: namespace, Running: start}
	if name == appv1alpha1.VMName {
		return m, command.Usage("%s is the name of the App's own virtual machine, which `rdd start` makes: choose another", name)
	}
	if len(args) > 1 && template != "" {
		return m, command.Usage("--template and %q are two templates: name one", args[1])
	}
	if len(args) > 1 {
		template = args[1]
	}
	if template == "" {
		return m, command.Usage("a template is needed: the file with a whole lima.yaml, - for standard input, or the name of a ConfigMap")
	}
	var err error
	if m.Params, err = parseParams(params); err != nil {
		return m, err
	}
	if len(args) > 1 && isConfigMap(template) {
		m.TemplateRef = template
		return m, nil
	}
	m.Template, err = readTemplate(template)
	return m, err
}

// nameAndTemplate is a [cobra.PositionalArgs]: a name, and a template if no flag names one.
func nameAndTemplate(cmd *cobra.Command, args []string) error {
	if len(args) > 2 {
		return command.Usage("unexpected argument %q; see `%s --help`", args[2], cmd.CommandPath())
	}
	return oneVM(cmd, args[:min(len(args), 1)])
}

// isConfigMap reports whether a template is the name of a ConfigMap: it could be one,
// and there is no such file.
func isConfigMap(template string) bool {
	if template == "-" || len(validation.IsDNS1123Subdomain(template)) > 0 || strings.HasSuffix(template, ".yaml") || strings.HasSuffix(template, ".yml") {
		return false
	}
	_, err := os.Stat(template)
	return err != nil
}

// tryCreate checks whether a virtual machine would be made.
func (a *appSession) tryCreate(machine limaclient.Machine) error {
	if _, err := a.vms().Create(a.ctx, machine); err != nil {
		return err
	}
	a.sayNow("The virtual machine %s would be made. Nothing was changed.", machine.Name)
	return nil
}

// parseParams parses NAME=VALUE.
func parseParams(assignments []string) (map[string]string, error) {
	var params map[string]string
	for _, assignment := range assignments {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return nil, command.Usage("--param %q: NAME=VALUE is expected", assignment)
		}
		if params == nil {
			params = map[string]string{}
		}
		params[name] = value
	}
	return params, nil
}

// readTemplate reads a template from a file, or from standard input.
func readTemplate(path string) (string, error) {
	file := os.Stdin
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return "", fault.New(fault.Failed, "read the template", "", err)
		}
		defer func() { _ = file.Close() }()
	}
	data, err := io.ReadAll(io.LimitReader(file, maxTemplate+1))
	switch {
	case err != nil:
		return "", fault.New(fault.Failed, "read the template", "", err)
	case len(data) > maxTemplate:
		return "", fault.New(fault.Failed, "read the template", path, fmt.Errorf("it is longer than %d bytes", maxTemplate))
	case strings.TrimSpace(string(data)) == "":
		return "", fault.New(fault.Failed, "read the template", path, errors.New("it is empty"))
	}
	return string(data), nil
}

// create makes a virtual machine.
func (a *appSession) create(machine limaclient.Machine, wait bool) error {
	request, err := a.vms().Create(a.ctx, machine)
	if err != nil {
		return err
	}
	if !wait {
		a.sayNow("The virtual machine %s is being made.", machine.Name)
		return nil
	}
	message, err := a.waitVM(request)
	// Also after an interruption: nothing else does it.
	tidying, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), sourceLimit)
	defer cancel()
	if err := errors.Join(err, a.vms().ForgetSource(tidying, request)); err != nil {
		return err
	}
	done := "is made, and runs"
	if !machine.Running {
		done = "is made"
	}
	a.sayDone(machine.Name, done, message)
	return nil
}
