// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestCompletionsArePrintable(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "rdd"}
	logs := &cobra.Command{Use: "logs", ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return []cobra.Completion{"web\trunning, \x1b[31mred", "we\x1bb\trunning", "we\nb", "w\u202eb", "plain"}, noFiles
	}}
	root.AddCommand(logs)
	completePrintable(root)
	got, directive := logs.ValidArgsFunction(logs, nil, "w")
	if want := []string{`web` + "\t" + `running, \x1b[31mred`, "plain"}; !slices.Equal(got, want) || directive != noFiles {
		t.Errorf("%q %v, want %q", got, directive, want)
	}
}

// TestFlagsCompletePrintable: what a flag's completion returns is checked where it is registered.
func TestFlagsCompletePrintable(t *testing.T) {
	t.Parallel()
	cmd := &cobra.Command{Use: "ps"}
	cmd.Flags().String("engine", "", "")
	completeFlag(cmd, "engine", fixed("one", "t\x1bwo"))
	complete, _ := cmd.GetFlagCompletionFunc("engine")
	if got, _ := complete(cmd, nil, ""); !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q, want one", got)
	}
}
