// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/dockerview"
)

// volumesCommand lists volumes; as a subcommand of `volume` its name is ls.
func (e *env) volumesCommand(name string, aliases ...string) *cobra.Command {
	cmd := e.listCommand(newListCommand(dockerview.Volumes()), name, "List volumes", aliases...)
	cmd.Long = `List the volumes of all connected engines. Filters, columns and templates are those of
` + "`docker volume ls`" + `.`
	cmd.Example = `  rdd volumes
  rdd volumes --filter dangling=true --quiet
  rdd volumes --format '{{.Name}}:{{.Labels}}'`
	return cmd
}
