// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// question configures the confirmation before a command removes data for good.
type question struct {
	// yes is the user's answer on the command line.
	yes bool
	// scripts lets the command run without a terminal if there is no virtual
	// machine, because existing scripts rely on it.
	scripts bool
}

func addYesFlag(cmd *cobra.Command, q *question) {
	cmd.Flags().BoolVarP(&q.yes, "yes", "y", false, "do not ask for confirmation")
}

// ask lists the data that would be lost, and asks the user for confirmation unless
// there is none. It starts no daemon.
func (e *env) ask(cmd *cobra.Command, q question, lost func(*inventory.Inventory) []string) error {
	if q.yes {
		return nil
	}
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	ctx, stop := e.UntilSignal(cmd.Context())
	defer stop()
	found, err := inventory.Read(ctx, inst)
	if err != nil {
		return err
	}
	lines := lost(found)
	switch {
	case len(lines) == 0:
		return nil
	case !e.onTerminal() && q.scripts && !found.HasMachines() && !cmd.Flags().Changed("yes"): // --yes=false requires a confirmation
		return nil
	case !e.onTerminal():
		return needsYes(cmd, lines)
	}
	return e.confirmOnTerminal(ctx, cmd, lines)
}

// confirm asks whether what is listed may go, which is more than one instance's.
func (e *env) confirm(ctx context.Context, cmd *cobra.Command, q question, lines []string) error {
	switch {
	case q.yes:
		return nil
	case !e.onTerminal():
		return needsYes(cmd, lines)
	}
	return e.confirmOnTerminal(ctx, cmd, lines)
}

func needsYes(cmd *cobra.Command, lines []string) error {
	return command.Usage("`%s` would remove %s; there is no terminal to ask on: use --yes to confirm", cmd.CommandPath(), strings.Join(lines, "; "))
}

func (e *env) confirmOnTerminal(ctx context.Context, cmd *cobra.Command, lines []string) error {
	e.Say("`%s` will remove:", cmd.CommandPath())
	for _, line := range lines {
		e.Say("  - %s", line)
	}
	_, _ = fmt.Fprint(e.Stderr, "Continue? [y/N] ")
	if answer(ctx) {
		return nil
	}
	return &command.ExitError{Code: fault.ExitFailed, Message: "Nothing was removed."}
}

// onTerminal reports whether the user can read and answer a question: not if a program
// reads the messages.
func (e *env) onTerminal() bool {
	if e.JSON() {
		return false
	}
	file, ok := e.Stderr.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && term.IsTerminal(int(os.Stdin.Fd()))
}

// answer reads a line from the terminal, and reports whether it is yes. The end of the
// input and an interrupt count as no.
func answer(ctx context.Context) bool {
	line := make(chan string, 1)
	go func() {
		if text, err := bufio.NewReader(os.Stdin).ReadString('\n'); err == nil {
			line <- text
		}
		close(line)
	}()
	select {
	case <-ctx.Done():
	case text, ok := <-line:
		if ok {
			text = strings.ToLower(strings.TrimSpace(text))
			return text == "y" || text == "yes"
		}
	}
	_, _ = fmt.Fprintln(os.Stderr) // the user typed no line break
	return false
}
