// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service/autostart"
)

func (e *env) enableCommand() *cobra.Command {
	at := string(autostart.Login)
	cmd := &cobra.Command{
		Use:   "enable",
		Short: "Start the daemon with the session, or the machine",
		Long: `Let the system start the daemon at each login, or at boot: with a systemd unit of this
user, a launchd agent, or a task of the Windows scheduler. The command prints the files
that it writes; ` + "`rdd service status`" + ` shows whether the daemon is enabled. A running daemon
keeps running. The daemon uses the PATH and the directories of this environment. If you
move the program, run the command again.`,
		Example: `  rdd service enable
  rdd service enable --at boot`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			when := autostart.When(at)
			if when != autostart.Login && when != autostart.Boot {
				return command.Usage("--at: %q: expected %s or %s", at, autostart.Login, autostart.Boot)
			}
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			executable, err := os.Executable()
			if err == nil {
				executable, err = filepath.EvalSymlinks(executable)
			}
			if err != nil {
				return err
			}
			result, err := autostart.Enable(cmd.Context(), autostart.New(inst, executable, when, os.LookupEnv))
			e.sayWritten("Wrote", result)
			if err != nil {
				return err
			}
			e.Say("The daemon of instance %s starts at %s.", inst.Name(), when)
			return nil
		},
	}
	cmd.Flags().StringVar(&at, "at", at, "the `event`: login or boot")
	completeFlag(cmd, "at", fixed(string(autostart.Login), string(autostart.Boot)))
	return cmd
}

func (e *env) disableCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "disable",
		Short: "Stop the system from starting the daemon",
		Long: `Stop the system from starting the daemon. The command prints what it removes. A running
daemon keeps running. The command also works for a deleted instance.`,
		Example: `  rdd service disable`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			result, err := autostart.Disable(cmd.Context(), inst.Name())
			e.sayWritten("Removed", result)
			if err != nil {
				return err
			}
			if len(result.Files) == 0 {
				e.Say("The daemon of instance %s is not enabled.", inst.Name())
			} else {
				e.Say("The daemon of instance %s is no longer started by the system.", inst.Name())
			}
			return nil
		},
	}
}

func (e *env) sayWritten(did string, result autostart.Result) {
	for _, file := range result.Files {
		e.Say("%s %s.", did, file)
	}
	for _, note := range result.Notes {
		e.Say("%s", note)
	}
}
