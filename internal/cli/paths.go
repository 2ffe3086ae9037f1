// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

func (e *env) pathsCommand() *cobra.Command {
	output := "table"
	command := &cobra.Command{
		Use:   "paths [KEY]",
		Short: "Print the paths of the instance, or one of them",
		RunE: func(_ *cobra.Command, args []string) error {
			inst, err := e.instance()
			if err != nil {
				return err
			}
			return e.printPaths(inst.Paths(), output, args)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", output, "the `format`: table, json or shell")
	return command
}

func (e *env) printPaths(paths []instance.Path, output string, args []string) error {
	if len(args) > 1 {
		return usageError("unexpected argument %q: one KEY at most", args[1])
	}
	if len(args) == 1 {
		var keys []string
		for _, path := range paths {
			if path.Key == args[0] {
				_, err := fmt.Fprintln(e.stdout, path.Value)
				return err
			}
			keys = append(keys, path.Key)
		}
		return usageError("unknown path %q: %s", args[0], strings.Join(keys, ", "))
	}
	switch output {
	case "table":
		for _, path := range paths {
			_, _ = fmt.Fprintf(e.stdout, "%-14s %s\n", path.Key, path.Value)
		}
	case "json":
		object := map[string]string{}
		for _, path := range paths {
			object[path.Key] = path.Value
		}
		return printJSON(e.stdout, object)
	case "shell":
		for _, path := range paths {
			_, _ = fmt.Fprintf(e.stdout, "export RDD_%s=%s\n", strings.ToUpper(path.Key), shellQuote(path.Value))
		}
	default:
		return usageError("unknown format %q: table, json or shell", output)
	}
	return nil
}

// shellQuote quotes a text for POSIX shells, in double quotes.
func shellQuote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(text) + `"`
}
