// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

// shells are the shells that completion supports.
var shells = []cobra.Completion{"bash", "zsh", "fish", "powershell"}

func (e *env) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Print a completion script for a shell",
		Long: `Print a shell script that completes rdd's commands and the names of containers, settings
and their values, instances, and, after ` + "`rdd ctl`" + `, API objects. Completion never starts
the daemon.`,
		Example: `  # bash, with the package bash-completion: in this shell, and in every new shell
  source <(rdd completion bash)
  rdd completion bash > ~/.local/share/bash-completion/completions/rdd

  # zsh, with ~/.zfunc in fpath
  rdd completion zsh > ~/.zfunc/_rdd

  # fish
  rdd completion fish > ~/.config/fish/completions/rdd.fish

  # PowerShell, in its profile file
  rdd completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return command.Usage("requires one argument: %s; see `%s --help`", strings.Join(shells, ", "), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return writeCompletion(cmd.Root(), e.Stdout, args[0]) },
	}
}

// writeCompletion writes the script for one of the shells, with descriptions.
func writeCompletion(root *cobra.Command, w io.Writer, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	}
	return root.GenPowerShellCompletionWithDesc(w)
}
