// SPDX-License-Identifier: Apache-2.0

package kubectl

import "github.com/spf13/cobra"

// pruned are the kinds that `apply --prune` looks through: of kubectl's list those
// that there are. With the others, Pods and the like, it fails after it has applied.
var pruned = []string{"core/v1/ConfigMap", "core/v1/Namespace", "core/v1/Secret"}

// presetPrune has `apply --prune` look through the kinds of pruned, unless it is
// told which, or that they are in an apply set.
func presetPrune(root *cobra.Command) {
	apply, _, err := root.Find([]string{"apply"})
	if err != nil {
		return
	}
	apply.PreRunE = func(cmd *cobra.Command, _ []string) error {
		flags := cmd.Flags()
		if prune, err := flags.GetBool("prune"); err != nil || !prune || flags.Changed("prune-allowlist") || flags.Changed("applyset") {
			return err
		}
		for _, kind := range pruned {
			if err := flags.Set("prune-allowlist", kind); err != nil {
				return err
			}
		}
		return nil
	}
}
