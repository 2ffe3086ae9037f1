// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/dockerview"
)

// psCommand lists containers; as a subcommand of `container` its name is ls.
func (e *env) psCommand(name string, aliases ...string) *cobra.Command {
	l := newListCommand(dockerview.Containers())
	cmd := e.listCommand(l, name, "List running containers, or all", aliases...)
	var latest bool
	cmd.Long = `List the running containers of all connected engines, newest first; with --all, those
that are stopped, too. Filters, columns and templates are those of ` + "`docker ps`" + `.`
	cmd.Example = `  rdd ps --all
  rdd ps --filter status=exited --filter label=com.docker.compose.project=shop
  rdd ps --format '{{.Names}}:{{.State}}'
  rdd ps --watch`
	cmd.Flags().IntVarP(&l.options.Last, "last", "n", -1, "show the `number` of containers created last, in all states")
	cmd.Flags().BoolVarP(&latest, "latest", "l", false, "show the container created last, in all states")
	cmd.Flags().BoolVarP(&l.options.All, "all", "a", false, "show stopped containers, too")
	l.prepare = func() {
		if latest && l.options.Last == -1 {
			l.options.Last = 1
		}
	}
	return cmd
}
