// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubectl/pkg/cmd/util/editor"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	limatemplate "github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/template"
)

// editFlags are the flags of `rdd limavm edit`.
type editFlags struct {
	waitFlags
	namespace    string
	cpus         int
	memory, disk string
	params       []string
	template     string
}

func (e *env) vmEditCommand() *cobra.Command {
	var f editFlags
	cmd := &cobra.Command{
		Use:   "edit NAME",
		Short: "Change the template of a virtual machine",
		Long: `Change the template of a virtual machine, and wait until the daemon has applied it. A
running virtual machine is restarted once. Without a flag for a change, the command opens
the template in an editor: VISUAL, EDITOR, or vi (Windows: notepad).

If Lima rejects the template, nothing changes and the virtual machine keeps running.`,
		Example: `  rdd limavm edit web --cpus 4 --memory 8Gi
  rdd limavm edit web --param SIZE=small
  rdd limavm edit web --template lima.yaml
  rdd limavm edit web`,
		Args: oneVM,
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := f.change()
			if err != nil {
				return err
			}
			if change.Template == nil && len(change.Params) == 0 {
				return e.editByHand(cmd.Context(), args[0], &f)
			}
			return e.edit(cmd.Context(), args[0], &f, change)
		},
	}
	cmd.ValidArgsFunction = e.completeVMs(1)
	e.addVMFlags(cmd, &f.waitFlags, &f.namespace, "the change is applied")
	cmd.Flags().IntVar(&f.cpus, "cpus", 0, "`number` of CPUs")
	cmd.Flags().StringVar(&f.memory, "memory", "", "memory `size`, for example 4Gi")
	cmd.Flags().StringVar(&f.disk, "disk", "", "disk `size`, for example 100Gi; can't shrink")
	cmd.Flags().StringArrayVar(&f.params, "param", nil, "set a parameter of the template, as `NAME=VALUE`; can be repeated")
	cmd.Flags().StringVar(&f.template, "template", "", "`file` with the new template; - for standard input")
	completeFlag(cmd, "template", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	return cmd
}

// change returns the change that the flags describe.
func (f *editFlags) change() (change client.VMChange, err error) {
	var fields []client.TemplateField
	if f.cpus < 0 {
		return change, command.Usage("--cpus %d: must be 1 or more", f.cpus)
	}
	if f.cpus > 0 {
		fields = append(fields, client.TemplateField{Name: "cpus", Value: strconv.Itoa(f.cpus)})
	}
	for _, size := range []client.TemplateField{{Name: "memory", Value: f.memory}, {Name: "disk", Value: f.disk}} {
		if size.Value == "" {
			continue
		}
		// Lima's 4GiB is Kubernetes' 4Gi.
		quantity, err := resource.ParseQuantity(strings.TrimSuffix(size.Value, "B"))
		if err != nil {
			return change, command.Usage("--%s %q: must be a size, for example 4Gi", size.Name, size.Value)
		}
		if size.Value, err = limatemplate.Size(size.Name, quantity); err != nil {
			return change, command.Usage("--%w", err)
		}
		fields = append(fields, size)
	}
	if change.Params, err = parseParams(f.params); err != nil {
		return change, err
	}
	if f.template == "" {
		if len(fields) > 0 {
			change.Template = client.WithFields(fields)
		}
		return change, nil
	}
	if len(fields) > 0 || len(change.Params) > 0 {
		return change, command.Usage("--template can't be combined with other changes")
	}
	text, err := readTemplate(f.template)
	change.Template = func(string) (string, error) { return text, nil }
	return change, err
}

// withEditable calls do with the named virtual machine, unless the App owns it.
func (e *env) withEditable(ctx context.Context, name string, f *editFlags, do func(*appSession, *limav1alpha1.LimaVM) error) error {
	return e.withExistingVMs(ctx, f.timeout, false, f.namespace, []string{name}, func(a *appSession, vms []limav1alpha1.LimaVM) error {
		if err := checkApps(&vms[0], "rdd set virtualMachine.…"); err != nil {
			return err
		}
		return do(a, &vms[0])
	})
}

func (e *env) edit(ctx context.Context, name string, f *editFlags, change client.VMChange) error {
	return e.withEditable(ctx, name, f, func(a *appSession, vm *limav1alpha1.LimaVM) error {
		return a.edit(vm, change, f.wait)
	})
}

// editByHand opens the template in an editor. The file is kept if the edit fails.
func (e *env) editByHand(ctx context.Context, name string, f *editFlags) error {
	var before string
	err := e.withEditable(ctx, name, f, func(a *appSession, vm *limav1alpha1.LimaVM) (err error) {
		before, err = a.client.VMTemplate(a.ctx, vm)
		return err
	})
	if err != nil {
		return err
	}
	// The editor handles signals, and has no time limit.
	text, file, err := editor.NewDefaultEditor([]string{"VISUAL", "EDITOR"}).LaunchTempFile("rdd-"+name+"-", ".yaml", strings.NewReader(before))
	if err != nil {
		return errors.Join(err, os.Remove(file))
	}
	if string(text) == before {
		e.Say("Nothing was changed.")
		return os.Remove(file)
	}
	change := client.VMChange{Template: func(now string) (string, error) {
		if now != before {
			return "", errors.New("another client changed the template during the edit")
		}
		return string(text), nil
	}}
	if err := e.edit(ctx, name, f, change); err != nil {
		if errors.As(err, new(*command.ExitError)) {
			return errors.Join(err, os.Remove(file))
		}
		return fmt.Errorf("%w\nYour changes are in %s: to retry run `rdd limavm edit %s --template %[2]s`", err, file, name)
	}
	return os.Remove(file)
}

// edit writes a change, and waits until it is applied. If Lima rejects the template,
// edit reverts the change.
func (a *appSession) edit(vm *limav1alpha1.LimaVM, change client.VMChange, wait bool) error {
	edited, err := a.client.EditVM(a.ctx, vm, change)
	if err != nil {
		return err
	}
	switch {
	case edited.Unchanged:
		a.sayNow("Nothing was changed: %s is already up to date.", vm.Name)
		return nil
	case !wait:
		a.sayNow("The template of %s was changed and is being applied.", vm.Name)
		return nil
	}
	message, err := a.client.WaitVM(a.ctx, edited.VMRequest)
	if rejected := (*client.TemplateRejectedError)(nil); errors.As(err, &rejected) {
		if err := a.client.RevertVM(a.ctx, edited, rejected); err != nil {
			return fmt.Errorf("%s: %w; reverting the change failed: %w", vm.Name, rejected, err)
		}
		return fmt.Errorf("%s: %w; nothing was changed", vm.Name, rejected)
	}
	if err := a.unfinishedVM(vm.Name, err); err != nil {
		return err
	}
	a.sayDone(vm.Name, "has the new template", message)
	return nil
}
