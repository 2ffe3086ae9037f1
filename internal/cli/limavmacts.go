// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/limaclient"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// vmAct is something that is done to virtual machines.
type vmAct struct {
	// ask asks for it.
	ask func(*limaclient.Client, context.Context, *limav1alpha1.LimaVM) (limaclient.Request, error)
	// apps is the command that does it to the App's; empty where this one may.
	apps string
	// asked and done say of a virtual machine that it was asked for, and that it is
	// done.
	asked, done string
	// loses is whether the user is asked first, as what is on a disk is lost.
	loses bool
	// asFound leaves no daemon running that did not run before.
	asFound bool
}

func (e *env) vmStartCommand() *cobra.Command {
	return e.vmActCommand("start", "Start virtual machines, and wait until they run",
		`Start virtual machines, and wait until they run. One whose starts have failed is
tried again at once. They run on when the daemon ends.`, "it runs",
		vmAct{ask: (*limaclient.Client).Start, apps: "rdd start", asked: "is being started", done: "runs"})
}

func (e *env) vmStopCommand() *cobra.Command {
	return e.vmActCommand("stop", "Stop virtual machines, and wait until they are stopped",
		`Stop virtual machines, and wait until they are stopped. A start that is under way is
given up.`, "it is stopped",
		vmAct{ask: (*limaclient.Client).Stop, apps: "rdd stop", asked: "is being stopped", done: "is stopped", asFound: true})
}

func (e *env) vmRestartCommand() *cobra.Command {
	return e.vmActCommand("restart", "Restart virtual machines, and wait until they run again",
		`Stop virtual machines, if they run, start them, and wait until they run.`, "it runs again",
		vmAct{ask: (*limaclient.Client).Restart, asked: "is being restarted", done: "was restarted, and runs"})
}

func (e *env) vmDeleteCommand() *cobra.Command {
	return e.vmActCommand("delete", "Delete virtual machines with their disks, and wait until they are gone",
		`Stop virtual machines, delete them with all that is on their disks, and wait until
they are gone. Their logs are kept for `+"`rdd limavm log`"+`. The command says what goes,
and asks.`, "it is gone",
		vmAct{ask: (*limaclient.Client).Delete, apps: "rdd delete` (the App and all that it owns) or `rdd reset",
			asked: "is being deleted", done: "is gone", loses: true, asFound: true})
}

func (e *env) vmActCommand(name, short, long, waited string, act vmAct) *cobra.Command {
	var f waitFlags
	var q question
	var namespace string
	cmd := &cobra.Command{
		Use:     name + " NAME...",
		Short:   short,
		Long:    long,
		Example: fmt.Sprintf("  rdd limavm %[1]s web\n  rdd limavm %[1]s web db --timeout 1m", name),
		Args:    vmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if act.loses {
				gone, err := e.askVMs(cmd, q, namespace, args, act.apps)
				if err != nil || gone {
					return err
				}
			}
			return e.withExistingVMs(cmd.Context(), f.timeout, act.asFound, namespace, args, func(a *appSession, vms []limav1alpha1.LimaVM) error {
				return a.act(vms, act, f.wait)
			})
		},
	}
	cmd.ValidArgsFunction = e.completeVMs(0)
	if act.loses {
		addYesFlag(cmd, &q)
	}
	e.addVMFlags(cmd, &f, &namespace, waited)
	return cmd
}

// askVMs asks whether virtual machines may go, and reports whether there is no
// instance that could have any. What can't be removed is refused without a question.
func (e *env) askVMs(cmd *cobra.Command, q question, namespace string, names []string, apps string) (absent bool, err error) {
	inst, err := e.Instance()
	if err != nil {
		return false, err
	}
	if exists, err := inst.Exists(); err != nil || !exists {
		if err == nil {
			e.Say("There is no instance %s, and so no virtual machine.", inst.Name())
		}
		return true, err
	}
	var refused error
	err = e.ask(cmd, q, func(found *inventory.Inventory) []string {
		if refused = refusal(found, namespace, names, apps); refused != nil {
			return nil
		}
		return found.WithMachines(names)
	})
	return false, errors.Join(err, refused)
}

// refusal returns why virtual machines can't be removed, as far as that is known.
func refusal(found *inventory.Inventory, namespace string, names []string, apps string) error {
	if found.Unknown != nil {
		return nil //nolint:nilerr // it is what the question says
	}
	vms, err := limaclient.Select(found.VMs, namespace, names...)
	if err != nil {
		return misspelt(err)
	}
	for i := range vms {
		if err := checkApps(&vms[i], apps); err != nil {
			return err
		}
	}
	return nil
}

// withExistingVMs calls do with the virtual machines of the names.
func (e *env) withExistingVMs(ctx context.Context, timeout time.Duration, asFound bool, namespace string, names []string,
	do func(*appSession, []limav1alpha1.LimaVM) error) error {
	session := e.withApp
	if asFound {
		session = e.withAppAsFound
	}
	return session(ctx, timeout, func(a *appSession) error {
		vms, err := a.vms().Find(a.ctx, namespace, names...)
		if err != nil {
			return misspelt(err)
		}
		return do(a, vms)
	})
}

// act does something to virtual machines, to none where it may not be done to one.
func (a *appSession) act(vms []limav1alpha1.LimaVM, act vmAct, wait bool) error {
	for i := range vms {
		if err := checkApps(&vms[i], act.apps); err != nil {
			return err
		}
	}
	var requests []limaclient.Request
	var failed []error
	for i := range vms {
		request, err := act.ask(a.vms(), a.ctx, &vms[i])
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", vms[i].Name, err))
			continue
		}
		requests = append(requests, request)
	}
	for _, request := range requests {
		if !wait {
			a.goesOn = true
			a.sayNow("The virtual machine %s %s.", request.Name(), act.asked)
			continue
		}
		message, err := a.waitVM(request)
		if errors.As(err, new(*command.ExitError)) {
			return err
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		a.sayDone(request.Name(), act.done, message)
	}
	return errors.Join(failed...)
}

// sayDone says what has come of a request.
func (a *appSession) sayDone(name, done, message string) {
	if message != "" {
		message = " (" + message + ")"
	}
	a.sayNow("The virtual machine %s %s%s.", name, done, message)
}

// checkApps refuses what another command does to the App's own virtual machine.
func checkApps(vm *limav1alpha1.LimaVM, instead string) error {
	if instead == "" || !limaclient.IsApps(vm) {
		return nil
	}
	return fmt.Errorf("the virtual machine %s is the App's: `%s` does it", vm.Name, instead)
}

// waitVM waits for what was asked for, and returns what there is to say of it.
func (a *appSession) waitVM(request limaclient.Request) (message string, err error) {
	message, err = a.vms().Wait(a.ctx, request)
	return message, a.unfinishedVM(request.Name(), err)
}

// unfinishedVM turns the error of a wait into that of the command.
func (a *appSession) unfinishedVM(name string, err error) error {
	if err == nil {
		return nil
	}
	a.goesOn = true
	if errors.Is(a.ctx.Err(), context.Canceled) {
		a.progress.done()
		return &command.ExitError{Code: interrupted, Message: "Interrupted. What was asked for goes on: `rdd limavm list` says how far it is."}
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf("%s: %w (more: `rdd limavm log %[1]s`)", name, err))
}
