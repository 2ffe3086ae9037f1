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

// editFlags say what is to be another way.
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
		Short: "Change the template of a virtual machine, and wait until it has it",
		Long: `Change the template of a virtual machine, and wait until that is applied. One that runs
is restarted for it, once. Without a flag that says what to change, the template is
opened in an editor: VISUAL, EDITOR, or vi (Windows: notepad).

A template that Lima rejects changes nothing, and does not stop the virtual machine.`,
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
	e.addVMFlags(cmd, &f.waitFlags, &f.namespace, "it is applied")
	cmd.Flags().IntVar(&f.cpus, "cpus", 0, "the `number` of processors")
	cmd.Flags().StringVar(&f.memory, "memory", "", "the `size` of the main memory, as in 4Gi")
	cmd.Flags().StringVar(&f.disk, "disk", "", "the `size` of the disk, as in 100Gi; it may grow and never shrink")
	cmd.Flags().StringArrayVar(&f.params, "param", nil, "a value for a parameter of the template, as `NAME=VALUE`; may be repeated")
	cmd.Flags().StringVar(&f.template, "template", "", "the `file` with another template; - for standard input")
	completeFlag(cmd, "template", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	return cmd
}

// change returns what the flags ask for.
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
			return change, command.Usage("--%s %q: a size is expected, as in 4Gi", size.Name, size.Value)
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
		return change, command.Usage("--template says all: leave the other changes out, or --template")
	}
	text, err := readTemplate(f.template)
	change.Template = func(string) (string, error) { return text, nil }
	return change, err
}

// withEditable calls do with a virtual machine whose template may be changed.
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

// editByHand has the user edit the template. What is rejected is kept.
func (e *env) editByHand(ctx context.Context, name string, f *editFlags) error {
	var before string
	err := e.withEditable(ctx, name, f, func(a *appSession, vm *limav1alpha1.LimaVM) (err error) {
		before, err = a.client.VMTemplate(a.ctx, vm)
		return err
	})
	if err != nil {
		return err
	}
	// Signals, and the time that it takes, are the editor's.
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
			return "", errors.New("another client has changed the template since it was read")
		}
		return string(text), nil
	}}
	if err := e.edit(ctx, name, f, change); err != nil {
		if errors.As(err, new(*command.ExitError)) {
			return errors.Join(err, os.Remove(file))
		}
		return fmt.Errorf("%w\nWhat you have written is in %s: `rdd limavm edit %s --template %[2]s` tries it again", err, file, name)
	}
	return os.Remove(file)
}

// edit writes a change, and waits until it is applied; one that is rejected is
// taken back.
func (a *appSession) edit(vm *limav1alpha1.LimaVM, change client.VMChange, wait bool) error {
	edited, err := a.client.EditVM(a.ctx, vm, change)
	if err != nil {
		return err
	}
	switch {
	case edited.Unchanged:
		a.sayNow("Nothing was changed: %s is so already.", vm.Name)
		return nil
	case !wait:
		a.sayNow("The template of %s was changed, and is being applied.", vm.Name)
		return nil
	}
	message, err := a.client.WaitVM(a.ctx, edited.VMRequest)
	if rejected := (*client.TemplateRejectedError)(nil); errors.As(err, &rejected) {
		if err := a.client.RevertVM(a.ctx, edited, rejected); err != nil {
			return fmt.Errorf("%s: %w; it could not be taken back: %w", vm.Name, rejected, err)
		}
		return fmt.Errorf("%s: %w; nothing was changed", vm.Name, rejected)
	}
	if err := a.unfinishedVM(vm.Name, err); err != nil {
		return err
	}
	a.sayDone(vm.Name, "has its new template", message)
	return nil
}
