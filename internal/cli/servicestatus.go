// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

func (e *env) serviceStatusCommand() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show daemon status",
		Long: `Show the status of the daemon: whether it runs, is ready, and where its API server
listens. For the engines and all problems use ` + "`rdd status`" + `.`,
		Example: `  rdd service status --output json`,
		Args:    command.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			status, err := service.ReadStatus(inst)
			if err != nil {
				return err
			}
			switch output {
			case "json":
				return printJSON(e.Stdout, status)
			case "":
				_, err := io.WriteString(e.Stdout, serviceStatusText(status))
				return err
			}
			return command.Usage("unknown output format %q: must be json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "output `format`: json")
	completeFlag(cmd, "output", fixed("json"))
	return cmd
}

func serviceStatusText(status *service.Status) string {
	var text strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&text, "%-12s %v\n", name, value) }
	row("Instance", status.Instance)
	if !status.Created {
		row("Created", "no")
		return text.String()
	}
	row("Created", status.CreatedAt.Format(time.RFC3339))
	row("Controllers", status.Controllers)
	if status.Enabled == nil {
		row("Enabled", "no")
	} else {
		row("Enabled", fmt.Sprintf("at %s, by %s", status.Enabled.At, status.Enabled.File))
	}
	if !status.Started {
		row("Started", "no")
		if f := status.Failure; f != nil {
			row("Failure", printable.Text(string(f.Kind)+": "+f.Message, printable.Condition))
		}
		return text.String()
	}
	if status.PID == 0 {
		row("Started", "a moment ago")
		return text.String()
	}
	row("Started", status.StartedAt.Format(time.RFC3339))
	row("Process", status.PID)
	if status.Ready {
		row("Ready", "yes")
	} else {
		row("Ready", "no, waiting for "+status.Waiting)
	}
	row("Version", status.Version)
	row("Address", "https://"+status.Address)
	row("Uptime", (time.Duration(status.Uptime) * time.Second).String())
	if status.Memory > 0 {
		row("Memory", fmt.Sprintf("%d MB", status.Memory/1e6))
	}
	return text.String()
}
