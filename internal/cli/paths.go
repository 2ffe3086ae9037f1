// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

func (e *env) pathsCommand() *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use:   "paths [KEY]",
		Short: "Print the paths of the instance",
		Long: `Print the paths of the instance's files and directories, or only the one called KEY. The
paths need not exist.`,
		Example: `  rdd service paths log_dir
  eval "$(rdd service paths --output shell)"`,
		RunE: func(_ *cobra.Command, args []string) error {
			inst, err := instance.New(e.InstanceName) // even if the paths are not safe to use
			if err != nil {
				return err
			}
			return e.printPaths(inst.Paths(), output, args)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "output `format`: table, json or shell")
	completeFlag(cmd, "output", fixed("table", "json", "shell"))
	cmd.ValidArgsFunction = e.completePaths
	return cmd
}

func (e *env) printPaths(paths []instance.Path, output string, args []string) error {
	if len(args) > 1 {
		return command.Usage("unexpected argument %q: accepts at most one KEY", args[1])
	}
	if len(args) == 1 {
		var keys []string
		for _, path := range paths {
			if path.Key == args[0] {
				_, err := fmt.Fprintln(e.Stdout, path.Value)
				return err
			}
			keys = append(keys, path.Key)
		}
		return command.Usage("unknown path %q: must be one of %s", args[0], strings.Join(keys, ", "))
	}
	var text strings.Builder
	switch output {
	case "table":
		for _, path := range paths {
			fmt.Fprintf(&text, "%-14s %s\n", path.Key, path.Value)
		}
	case "json":
		object := map[string]string{}
		for _, path := range paths {
			object[path.Key] = path.Value
		}
		return printJSON(e.Stdout, object)
	case "shell":
		for _, path := range paths {
			fmt.Fprintf(&text, "export RDD_%s=%s\n", strings.ToUpper(path.Key), shellQuote(path.Value))
		}
	default:
		return command.Usage("unknown output format %q: must be table, json or shell", output)
	}
	_, err := io.WriteString(e.Stdout, text.String())
	return err
}

// shellQuote quotes a text for POSIX shells, in double quotes.
func shellQuote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(text) + `"`
}
