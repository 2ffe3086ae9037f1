// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/releases"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

func (e *env) upgradeCommand() *cobra.Command {
	var check bool
	var output string
	cmd := &cobra.Command{
		Use:   "upgrade --check",
		Short: "Check whether there is a newer release",
		Long: `Check whether the feed of application.updates.url names a newer release, if
application.updates.enabled allows it. There is no feed
by default. The command changes nothing: install a newer rdd the way you installed this one.`,
		Example: `  rdd upgrade --check
  rdd set application.updates.url=https://example.com/releases.json`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !check {
				return command.Usage("--check is required: rdd does not replace itself; see `%s --help`", cmd.CommandPath())
			}
			if err := checkOutput(output); err != nil {
				return err
			}
			found, err := e.lookForRelease(cmd.Context())
			if err != nil {
				return err
			}
			if output != "" {
				return printAs(e.Stdout, output, found)
			}
			e.sayRelease(found)
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "check for a newer release")
	addOutputFlag(cmd, &output)
	return cmd
}

// lookForRelease reads the feed that the App names. Without an instance there is none.
func (e *env) lookForRelease(ctx context.Context) (found releases.Check, err error) {
	found = releases.Check{Current: version.RDD(), Enabled: true}
	inst, err := e.Instance()
	if err != nil {
		return found, err
	}
	if exists, err := inst.Exists(); err != nil || !exists {
		return found, err
	}
	err = e.withAppAsFound(ctx, settleTimeout, func(a *appSession) error {
		app, err := a.client.App(a.ctx)
		if err == nil && app != nil {
			updates := app.Spec.Application.Updates
			found.Enabled, found.Feed = updates.Enabled == nil || *updates.Enabled, updates.URL
		}
		return err
	})
	if err != nil || !found.Enabled || found.Feed == "" {
		return found, err
	}
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	found, err = releases.Look(ctx, found.Feed)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return found, &command.ExitError{Code: interrupted, Message: "Interrupted."}
	}
	return found, err
}

func (e *env) sayRelease(found releases.Check) {
	switch {
	case !found.Enabled:
		e.Say("This is rdd %s. Not checked: application.updates.enabled is false.", found.Current)
	case found.Feed == "":
		e.Say("This is rdd %s. No release feed is set: use `rdd set application.updates.url=…`.", found.Current)
	case found.Newer && found.URL != "":
		e.Say("This is rdd %s, and rdd %s is available: %s", found.Current, found.Newest, found.URL)
	case found.Newer:
		e.Say("This is rdd %s, and rdd %s is available.", found.Current, found.Newest)
	default:
		e.Say("This is rdd %s, and there is no newer release.", found.Current)
	}
}
