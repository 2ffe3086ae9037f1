// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/status"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

// statusTimeout bounds the requests to the daemon.
const statusTimeout = 10 * time.Second

func (e *env) statusCommand() *cobra.Command {
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the status and problems of the instance",
		Long: `Show the status of the daemon, the virtual machine, the engines, the Docker contexts and
the disk, and all problems with their remedies. The command starts and changes nothing.
docs/troubleshooting.md explains each problem code.`,
		Example: `  rdd status
  rdd status --watch
  rdd status --output json`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			reader := &status.Reader{Instance: inst, Command: "rdd", Limit: statusTimeout, Clock: clock.RealClock{}, Getenv: os.Getenv}
			if e.InstanceName != "" {
				reader.Command += " --instance " + e.InstanceName
			}
			ctx, stop := e.UntilSignal(cmd.Context())
			defer stop()
			if watch {
				return e.watchStatus(ctx, reader, output)
			}
			s, err := reader.Read(ctx)
			if err != nil {
				return err
			}
			return errors.Join(e.printStatus(s, output), inst.Require())
		},
	}
	addOutputFlag(cmd, &output)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show the status again after each change")
	return cmd
}

func (e *env) printStatus(s *status.Status, output string) error {
	if output == "" {
		return s.Print(e.Stdout)
	}
	return printAs(e.Stdout, output, s)
}

// watchStatus shows the status until an interrupt: on a terminal always on the same
// lines, else again after each change.
func (e *env) watchStatus(ctx context.Context, reader *status.Reader, output string) error {
	file, ok := e.Stdout.(*os.File)
	terminal := output == "" && ok && term.IsTerminal(int(file.Fd()))
	last := ""
	err := reader.Watch(ctx, func(s *status.Status) error {
		if terminal {
			return e.redraw(s)
		}
		steady, err := steadyText(s, output)
		if err != nil || steady == last {
			return err
		}
		switch {
		case last == "":
		case output == "yaml":
			e.print("---\n")
		case output == "":
			e.print("\n")
		}
		last = steady
		return e.printStatus(s, output)
	})
	if errors.Is(err, context.Canceled) {
		return nil // the user ends the watch by an interrupt
	}
	return err
}

// steadyText returns the output without the figures that always change.
func steadyText(s *status.Status, output string) (string, error) {
	steady := s.Steady()
	var text bytes.Buffer
	if output == "" {
		err := steady.Print(&text)
		return text.String(), err
	}
	err := printAs(&text, output, steady)
	return text.String(), err
}

const (
	goHome       = "\x1b[H"
	clearToRight = "\x1b[K"
	clearBelow   = "\x1b[J"
)

// redraw overwrites the terminal line by line, so that it does not flicker.
func (e *env) redraw(s *status.Status) error {
	var text bytes.Buffer
	if err := s.Print(&text); err != nil {
		return err
	}
	e.print(goHome + strings.ReplaceAll(text.String(), "\n", clearToRight+"\n") + clearBelow)
	return nil
}

func (e *env) print(text string) { _, _ = e.Stdout.Write([]byte(text)) }
