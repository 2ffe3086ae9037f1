// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/bundle"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/status"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

func (e *env) diagnoseCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "diagnose",
		Short: "Collect what a bug report needs into a zip file",
		Long: `Collect logs, status, settings, versions and objects of the instance into a zip file
for a bug report, and list what is in it. Tokens, keys, passwords and Secrets are not:
what is known as a secret or looks like one is replaced, and the arguments, environment
and labels of containers are left out. Look through it before you send it: RDD can't
know every secret in a log. Nothing is started, and nothing is sent.`,
		Example: `  rdd diagnose
  rdd diagnose --output report.zip`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			if output == "" {
				output = fmt.Sprintf("rdd-diagnose-%s-%s.zip", inst.Name(), time.Now().UTC().Format("20060102-150405"))
			}
			if info, err := os.Stat(filepath.Dir(output)); err != nil || !info.IsDir() {
				return command.Usage("--output: there is no directory %q", filepath.Dir(output))
			}
			if info, err := os.Lstat(output); err == nil && !info.Mode().IsRegular() {
				return command.Usage("--output: %q is no regular file", output)
			}
			ctx, stop := e.UntilSignal(cmd.Context())
			defer stop()
			reader := &status.Reader{Instance: inst, Command: "rdd", Limit: statusTimeout, Clock: clock.RealClock{}, Getenv: os.Getenv}
			collected := bundle.Collect(ctx, inst, reader)
			if err := ctx.Err(); err != nil {
				return &command.ExitError{Code: interrupted, Message: "Interrupted. Nothing was written."}
			}
			if err := collected.Write(output); err != nil {
				return fault.New(fault.Failed, "write", output, err)
			}
			for _, file := range collected.Files {
				_, _ = fmt.Fprintf(e.Stdout, "%-48s %9d  %s\n", file.Name, file.Size, file.About)
			}
			for _, missing := range collected.Missing {
				e.Say("Missing: %s", missing)
			}
			e.Say("The report is in %s. Look through it before you send it.", output)
			return nil
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "the zip `file` (default: one with the time in its name, in this directory)")
	return cmd
}
