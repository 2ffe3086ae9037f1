// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// completePrintable makes a command and its subcommands complete only to printable arguments.
func completePrintable(cmd *cobra.Command) {
	if complete := cmd.ValidArgsFunction; complete != nil {
		cmd.ValidArgsFunction = printableOnly(complete)
	}
	for _, below := range cmd.Commands() {
		completePrintable(below)
	}
}

// printableOnly drops completions with unprintable characters, because their escaped form would name another object. Descriptions are
// escaped.
func printableOnly(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		all, directive := complete(cmd, args, begun)
		kept := make([]cobra.Completion, 0, len(all))
		for _, completion := range all {
			word, about, described := strings.Cut(completion, "\t")
			if printable.Text(word, 0) != word {
				continue
			}
			if described {
				word += "\t" + printable.Text(about, 0)
			}
			kept = append(kept, word)
		}
		return kept, directive
	}
}
