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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// vmAct is an operation on virtual machines.
type vmAct struct {
	// request writes the desired state.
	request func(*client.Session, context.Context, *limav1alpha1.LimaVM) (client.VMRequest, error)
	// apps is the command for the App's virtual machine; empty if this one may act on it.
	apps string
	// requested and done describe a virtual machine before and after the operation.
	requested, done string
	// loses is whether the operation deletes a disk and so requires a confirmation.
	loses bool
	// asFound is whether the daemon is stopped again if the command has started it.
	asFound bool
}

func (e *env) vmStartCommand() *cobra.Command {
	return e.vmActCommand("start", "Start virtual machines",
		`Start virtual machines, and wait until they are running. If earlier starts of a virtual
machine failed, the daemon retries at once. Virtual machines keep running when the daemon
stops.`, "the virtual machines are running",
		vmAct{request: (*client.Session).StartVM, apps: "rdd start", requested: "is being started", done: "is running"})
}

func (e *env) vmStopCommand() *cobra.Command {
	return e.vmActCommand("stop", "Stop virtual machines",
		`Stop virtual machines, and wait until they are stopped. This cancels a start in
progress.`, "the virtual machines are stopped",
		vmAct{request: (*client.Session).StopVM, apps: "rdd stop", requested: "is being stopped", done: "is stopped", asFound: true})
}

func (e *env) vmRestartCommand() *cobra.Command {
	return e.vmActCommand("restart", "Restart virtual machines",
		`Stop virtual machines if they are running, start them, and wait until they are running
again.`, "the virtual machines are running again",
		vmAct{request: (*client.Session).RestartVM, requested: "is being restarted", done: "has restarted and is running"})
}

func (e *env) vmDeleteCommand() *cobra.Command {
	return e.vmActCommand("delete", "Delete virtual machines and their disks",
		`Stop virtual machines, delete them with their disks, and wait until they are gone. Their
logs are kept for `+"`rdd limavm log`"+`. The command lists what it will delete, and asks for
confirmation.`, "the virtual machines are gone",
		vmAct{request: (*client.Session).DeleteVM, apps: "rdd delete` (the App and everything it owns) or `rdd reset",
			requested: "is being deleted", done: "is deleted", loses: true, asFound: true})
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

// askVMs asks for confirmation before virtual machines are deleted. absent reports
// whether the instance does not exist. Virtual machines that can't be deleted are
// refused without a question.
func (e *env) askVMs(cmd *cobra.Command, q question, namespace string, names []string, apps string) (absent bool, err error) {
	inst, err := e.Instance()
	if err != nil {
		return false, err
	}
	if exists, err := inst.Exists(); err != nil || !exists {
		if err == nil {
			e.Say("Instance %s does not exist, so it has no virtual machines.", inst.Name())
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

// refusal returns why virtual machines can't be deleted; nil if the objects are unknown.
func refusal(found *inventory.Inventory, namespace string, names []string, apps string) error {
	if found.Unknown != nil {
		return nil //nolint:nilerr // the question names the error
	}
	vms, err := client.SelectVMs(found.VMs, namespace, names...)
	if err != nil {
		return withSuggestion(err)
	}
	for i := range vms {
		if err := checkApps(&vms[i], apps); err != nil {
			return err
		}
	}
	return nil
}

// withExistingVMs calls do with the named virtual machines.
func (e *env) withExistingVMs(ctx context.Context, timeout time.Duration, asFound bool, namespace string, names []string,
	do func(*appSession, []limav1alpha1.LimaVM) error) error {
	session := e.withApp
	if asFound {
		session = e.withAppAsFound
	}
	return session(ctx, timeout, func(a *appSession) error {
		vms, err := a.client.FindVMs(a.ctx, namespace, names...)
		if err != nil {
			return withSuggestion(err)
		}
		return do(a, vms)
	})
}

// act performs an operation on virtual machines; on none if one of them refuses it.
func (a *appSession) act(vms []limav1alpha1.LimaVM, act vmAct, wait bool) error {
	for i := range vms {
		if err := checkApps(&vms[i], act.apps); err != nil {
			return err
		}
	}
	var requests []client.VMRequest
	var failed []error
	for i := range vms {
		request, err := act.request(a.client, a.ctx, &vms[i])
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", vms[i].Name, err))
			continue
		}
		requests = append(requests, request)
	}
	for _, request := range requests {
		if !wait {
			a.pending = true
			a.sayNow("Virtual machine %s %s.", request.Name(), act.requested)
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

// sayDone reports that a request is done, with the warning in message.
func (a *appSession) sayDone(name, done, message string) {
	if message != "" {
		message = " (" + message + ")"
	}
	a.sayNow("Virtual machine %s %s%s.", name, done, message)
}

// checkApps refuses an operation on the App's virtual machine if another command is for
// it.
func checkApps(vm *limav1alpha1.LimaVM, instead string) error {
	if instead == "" || !client.IsAppsVM(vm) {
		return nil
	}
	return fmt.Errorf("virtual machine %s is owned by the App: use `%s`", vm.Name, instead)
}

// waitVM waits until a request is done, and returns the warning of a degraded virtual
// machine.
func (a *appSession) waitVM(request client.VMRequest) (message string, err error) {
	message, err = a.client.WaitVM(a.ctx, request)
	return message, a.unfinishedVM(request.Name(), err)
}

// unfinishedVM turns the error of a wait into the error of the command.
func (a *appSession) unfinishedVM(name string, err error) error {
	if err == nil {
		return nil
	}
	a.pending = true
	if errors.Is(a.ctx.Err(), context.Canceled) {
		a.progress.done()
		return &command.ExitError{Code: interrupted, Message: "Interrupted. The daemon continues: see `rdd limavm list`."}
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf("%s: %w (see `rdd limavm log %[1]s`)", name, err))
}
