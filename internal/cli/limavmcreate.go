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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

const (
	// maxTemplate limits a template, in bytes: a ConfigMap holds 1 MiB.
	maxTemplate = 1<<20 - 4<<10

	// sourceLimit bounds the removal of the template's source.
	sourceLimit = 5 * time.Second
)

func (e *env) vmCreateCommand() *cobra.Command {
	var f waitFlags
	var template, namespace string
	var params []string
	start, dryRun := true, false
	cmd := &cobra.Command{
		Use:   "create NAME FILE|CONFIGMAP",
		Short: "Create and start a virtual machine from a template",
		Long: `Create a virtual machine from a template, start it, and wait until it is running. The
template is a complete lima.yaml, in a file or in the key template of a ConfigMap. The
virtual machine keeps a copy of it, which
` + "`rdd limavm edit`" + ` changes. The first start downloads the image that the template names.

If the wait is interrupted or times out, the daemon continues to create the virtual
machine. To cancel that use ` + "`rdd limavm delete`" + `.`,
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
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only validate the virtual machine; change nothing")
	e.addVMFlags(cmd, &f, &namespace, "the virtual machine is running")
	cmd.Flags().Lookup("namespace").Usage = "`namespace` of the virtual machine (default: the App's)"
	cmd.Flags().StringVar(&template, "template", "", "template `file`; - for standard input")
	completeFlag(cmd, "template", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	cmd.Flags().StringArrayVar(&params, "param", nil, "set a parameter of the template, as `NAME=VALUE`; can be repeated")
	cmd.Flags().BoolVar(&start, "start", start, "start the virtual machine")
	return cmd
}

// newMachine returns the virtual machine that a command line describes.
func newMachine(args []string, template, namespace string, params []string, start bool) (client.NewVM, error) {
	name := args[0]
	m := client.NewVM{Name: name, Namespace: namespace, Running: start}
	if name == appv1alpha1.VMName {
		return m, command.Usage("the name %q is reserved for the App's virtual machine, which `rdd start` creates: choose another name", name)
	}
	if len(args) > 1 && template != "" {
		return m, command.Usage("--template and %q are two templates: name one", args[1])
	}
	if len(args) > 1 {
		template = args[1]
	}
	if template == "" {
		return m, command.Usage("a template is required: a complete lima.yaml file, - for standard input, or the name of a ConfigMap")
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

// tryCreate checks whether a virtual machine could be created.
func (a *appSession) tryCreate(machine client.NewVM) error {
	if _, err := a.client.CreateVM(a.ctx, machine); err != nil {
		return err
	}
	a.sayNow("Virtual machine %s would be created. Nothing was changed.", machine.Name)
	return nil
}

// parseParams parses NAME=VALUE.
func parseParams(assignments []string) (map[string]string, error) {
	var params map[string]string
	for _, assignment := range assignments {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return nil, command.Usage("--param %q: must be NAME=VALUE", assignment)
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

// create creates a virtual machine, and waits for it if wait is set.
func (a *appSession) create(machine client.NewVM, wait bool) error {
	request, err := a.client.CreateVM(a.ctx, machine)
	if err != nil {
		return err
	}
	if !wait {
		a.sayNow("Virtual machine %s is being created.", machine.Name)
		return nil
	}
	message, err := a.waitVM(request)
	// Even after an interrupt: nothing else removes the source.
	tidying, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), sourceLimit)
	defer cancel()
	if err := errors.Join(err, a.client.ForgetVMSource(tidying, request)); err != nil {
		return err
	}
	done := "is created and running"
	if !machine.Running {
		done = "is created"
	}
	a.sayDone(machine.Name, done, message)
	return nil
}
