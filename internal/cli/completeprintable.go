// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// completePrintable makes a command, and those below it, complete arguments by what is safe to show.
func completePrintable(cmd *cobra.Command) {
	if complete := cmd.ValidArgsFunction; complete != nil {
		cmd.ValidArgsFunction = printableOnly(complete)
	}
	for _, below := range cmd.Commands() {
		completePrintable(below)
	}
}

// printableOnly returns completions without those that are not safe to show: the escaped form would name something else. Of what follows a word,
// its description, the escaped form is shown.
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
