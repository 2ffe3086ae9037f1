// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// serviceStatus is what `service status -o json` prints.
type serviceStatus struct {
	Instance    string     `json:"instance"`
	Created     bool       `json:"created"`
	CreatedAt   *time.Time `json:"createdAt,omitempty"`
	Started     bool       `json:"started"`
	StartedAt   *time.Time `json:"startedAt,omitempty"`
	PID         int        `json:"pid"`
	Ready       bool       `json:"ready"`
	Waiting     string     `json:"waiting,omitempty"`
	Version     string     `json:"version,omitempty"`
	Address     string     `json:"address,omitempty"`
	Controllers string     `json:"controllers"`
	// Uptime in seconds.
	Uptime float64 `json:"uptime"`
	// Memory is the resident size, in bytes; 0 where the system does not tell.
	Memory int64 `json:"memory"`
}

func readServiceStatus(inst *instance.Instance) (*serviceStatus, error) {
	status := &serviceStatus{Instance: inst.Name()}
	settings, err := inst.LoadSettings()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return status, nil
	case err != nil:
		return nil, err
	}
	status.Created, status.CreatedAt, status.Controllers = true, &settings.Created, settings.Controllers
	daemon, err := inst.Daemon()
	if err != nil || daemon == nil {
		return status, err
	}
	status.Started, status.PID, status.Ready, status.Waiting = true, daemon.PID, daemon.Ready, daemon.Waiting
	if daemon.PID != 0 {
		status.Version, status.Address, status.Controllers = daemon.Version, daemon.Address, daemon.Controllers
		status.StartedAt, status.Uptime = &daemon.Started, time.Since(daemon.Started).Seconds()
		status.Memory = service.Memory(daemon.PID)
	}
	return status, nil
}

func (e *env) serviceStatusCommand() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how the daemon is",
		Example: `  rdd service status --output json`,
		Args:    command.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			status, err := readServiceStatus(inst)
			if err != nil {
				return err
			}
			switch output {
			case "json":
				return printJSON(e.Stdout, status)
			case "":
				e.printServiceStatus(status)
				return nil
			}
			return command.Usage("unknown format %q: json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "the `format`: json")
	completeFlag(cmd, "output", fixed("json"))
	return cmd
}

func (e *env) printServiceStatus(status *serviceStatus) {
	row := func(name string, value any) { _, _ = fmt.Fprintf(e.Stdout, "%-12s %v\n", name, value) }
	row("Instance", status.Instance)
	if !status.Created {
		row("Created", "no")
		return
	}
	row("Created", status.CreatedAt.Format(time.RFC3339))
	row("Controllers", status.Controllers)
	if !status.Started {
		row("Started", "no")
		return
	}
	if status.PID == 0 {
		row("Started", "a moment ago")
		return
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
}
