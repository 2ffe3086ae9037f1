// SPDX-License-Identifier: Apache-2.0

package kubectl

import "github.com/spf13/cobra"

// pruned are the kinds that `apply --prune` searches: the kinds in kubectl's list that
// the API server has. With the others, such as Pods, it would fail after applying.
var pruned = []string{"core/v1/ConfigMap", "core/v1/Namespace", "core/v1/Secret"}

// presetPrune makes the kinds of pruned the default of `apply --prune`, unless the user
// gives an allowlist or an apply set.
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
