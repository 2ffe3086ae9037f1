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
		Long: `Have the system start the daemon at each login, or at boot: by a unit of systemd for
this user, an agent of launchd, or a task of Windows' scheduler. The command says what
it wrote; ` + "`rdd service status`" + ` tells whether it is enabled. The daemon that runs goes on.
It gets the PATH and the directories of this environment. After an archive was unpacked
in another place, run the command again.`,
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
		Short: "Take back what enable did",
		Long: `Have the system not start the daemon any more. The command says what it removed. The
daemon that runs goes on. It works for an instance that was deleted, too.`,
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
				e.Say("The daemon of instance %s is not started by the system any more.", inst.Name())
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
