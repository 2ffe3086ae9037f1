// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service/autostart"
)

func (e *env) uninstallCommand() *cobra.Command {
	timeout, q, dryRun := stopTimeout, question{}, false
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove everything that RDD has on this machine",
		Long: `Remove all instances with their virtual machines, disks, objects, logs, Docker
contexts and the files of ` + "`rdd service enable`" + `. The command lists what it removes, and asks
for confirmation. Existing engines and their content are kept, and so is the program.`,
		Example: `  rdd uninstall --dry-run
  rdd uninstall`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := e.UntilSignal(cmd.Context())
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			found, lines, err := findAll(ctx)
			if err != nil {
				return err
			}
			if dryRun {
				for _, line := range lines {
					_, _ = fmt.Fprintln(e.Stdout, line)
				}
			}
			switch {
			case len(lines) == 0:
				e.Say("RDD has no files on this machine.")
				return nil
			case dryRun:
				e.Say("Nothing was removed.")
				return nil
			}
			if err := e.confirm(ctx, cmd, q, lines); err != nil {
				return err
			}
			return e.uninstall(ctx, found)
		},
	}
	addYesFlag(cmd, &q)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list what would go")
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for daemons and virtual machines to end")
	return cmd
}

// findAll returns all instances of which something is there, and what of each goes.
func findAll(ctx context.Context) (found []*instance.Instance, lines []string, err error) {
	names, err := instance.Traces()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		inst, err := instance.New(name)
		if err == nil {
			err = inst.Check()
		}
		if err != nil {
			return nil, nil, err
		}
		found = append(found, inst)
		lost, err := inventory.Read(ctx, inst)
		if err != nil {
			return nil, nil, err
		}
		for _, line := range lost.WithInstance() {
			lines = append(lines, fmt.Sprintf("instance %s: %s", name, line))
		}
		for _, dir := range inst.Written() {
			if _, err := os.Lstat(dir); err == nil {
				lines = append(lines, fmt.Sprintf("instance %s: %s", name, dir))
			}
		}
		if enabled := autostart.Read(inst); enabled != nil {
			lines = append(lines, fmt.Sprintf("instance %s: %s", name, enabled.File))
		}
	}
	return found, lines, nil
}

// uninstall removes all of the instances. One that fails does not keep the others.
func (e *env) uninstall(ctx context.Context, found []*instance.Instance) error {
	p := newProgress(e.Messages())
	defer p.done()
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	var failed []error
	for _, inst := range found {
		_, err := autostart.Disable(ctx, inst.Name())
		if err == nil {
			svc := &service.Service{Instance: inst, Executable: executable, Progress: p.update}
			if _, err = svc.Delete(ctx, false); err == nil {
				err = inst.Remove(false) // logs that an earlier deletion kept
			}
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		p.done()
		e.Say("Instance %s has been removed.", inst.Name())
	}
	if len(failed) == 0 {
		e.Say("The program %s is kept: uninstall it the way you installed it.", executable)
	}
	return errors.Join(failed...)
}
