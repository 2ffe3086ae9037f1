// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/versions"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

func (e *env) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the versions of rdd, the daemon and the engines",
		Long: `Show the versions of this program, of the daemon if it runs, of the Kubernetes API,
of each engine and of limactl. Nothing is started. ` + "`rdd --version=raw`" + ` prints the
version of this program alone.`,
		Example: `  rdd version
  rdd version --output json`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			v := versions.Read(cmd.Context(), inst)
			if output != "" {
				return printAs(e.Stdout, output, v)
			}
			return v.Print(e.Stdout)
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

// The values of --version.
const (
	versionLong = "long"
	versionRaw  = "raw"
)

// addVersionFlag adds --version[=raw], which cobra's own can't be.
func addVersionFlag(root *cobra.Command, value *string) {
	root.Flags().StringVarP(value, "version", "v", "", "print the version, `long` or raw, and exit")
	root.Flags().Lookup("version").NoOptDefVal = versionLong
	completeFlag(root, "version", fixed(versionLong, versionRaw))
}

// printVersion prints the version of this program.
func (e *env) printVersion(how string) error {
	switch how {
	case versionLong:
		_, err := fmt.Fprintf(e.Stdout, "rdd version %s (Kubernetes %s)\n", version.RDD(), version.Kubernetes())
		return err
	case versionRaw:
		_, err := fmt.Fprintln(e.Stdout, version.RDD())
		return err
	}
	return command.Usage("--version: %q: expected %s or %s", how, versionLong, versionRaw)
}
