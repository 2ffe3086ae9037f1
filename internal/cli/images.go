// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/dockerview"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

// imagesCommand lists images; as a subcommand of `image` its name is ls.
func (e *env) imagesCommand(name string, aliases ...string) *cobra.Command {
	l := newListCommand(dockerview.Images())
	cmd := e.listCommand(l, name, "List images, one line for each tag", aliases...)
	cmd.Use = name + " [REPOSITORY[:TAG]]"
	cmd.Long = `List the tagged images of all connected engines, newest first; with --all, the untagged
ones, too. REPOSITORY[:TAG] may have wildcards. Filters, columns and templates are those of
` + "`docker images`" + `.`
	cmd.Example = `  rdd images --all
  rdd images registry.example.com/*/*
  rdd images --filter dangling=true --quiet
  rdd images --format '{{.Repository}}:{{.Tag}}'`
	cmd.Flags().BoolVarP(&l.options.All, "all", "a", false, "show untagged images, too")
	cmd.Flags().BoolVar(&l.options.Digests, "digests", false, "show digests")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return command.Usage("accepts one reference, received %d; see `%s --help`", len(args), cmd.CommandPath())
		}
		for _, pattern := range args {
			return l.options.Filters.Set("reference=" + pattern)
		}
		return nil
	}
	return cmd
}
