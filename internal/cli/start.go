// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/enginefinder"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/hostinfo"
)

func (e *env) startCommand() *cobra.Command {
	var f waitFlags
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start: connect to the engine, and wait until it is mirrored",
		Long: `Set running=true, and wait until the engine is connected and all of it is mirrored.

Where no engine has been chosen yet, one with Docker's API that answers is: the one
that the docker command would use (DOCKER_HOST, DOCKER_CONTEXT, or the current
context), else one at a usual place, such as unix:///var/run/docker.sock. The command
says which, and remembers it. (This version of rdd can't make a virtual machine
with an engine of its own yet.)`,
		Example: `  rdd start

  # Another engine, from now on
  rdd set containerEngine.endpoint=ssh://user@host`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withApp(cmd.Context(), f.timeout, func(a *appSession) error { return a.start(f.wait) })
		},
	}
	addWaitFlags(cmd, &f, "the engine is connected and mirrored")
	return cmd
}

// start sets running=true, with an engine that it finds where none is chosen.
func (a *appSession) start(wait bool) error {
	app, err := a.app().Get(a.ctx)
	if err != nil {
		return err
	}
	spec := map[string]any{"running": true}
	if app == nil || app.Spec.ContainerEngine.Endpoint == "" {
		engine, err := a.findEngine(app)
		if err != nil {
			return err
		}
		for _, passed := range engine.Passed {
			a.sayNow("Not taken: %s", passed)
		}
		a.sayNow("The engine is Docker %s at %s (%s). To take another: `rdd set containerEngine.endpoint=…`",
			engine.Version, engine.Endpoint, engine.Source)
		spec["containerEngine"] = map[string]any{"endpoint": engine.Endpoint}
	}
	return a.apply(spec, wait)
}

// findEngine finds an engine for an App that has none, or, where it is nil, for
// one that is to be made.
func (a *appSession) findEngine(app *appv1alpha1.App) (*enginefinder.Engine, error) {
	if app != nil && app.Spec.ContainerEngine.Name != appv1alpha1.EngineMoby {
		return nil, fmt.Errorf("containerEngine.name is %s, and engines of that kind are not looked for: "+
			"name one with `rdd set containerEngine.endpoint=…`, or Docker's with `rdd set containerEngine.name=moby`", app.Spec.ContainerEngine.Name)
	}
	contexts, err := dockercontext.Open(os.Getenv)
	if err != nil {
		return nil, err
	}
	inst := a.service.Instance
	engine, err := enginefinder.Find(a.ctx, enginefinder.Config{
		Contexts:   contexts,
		Getenv:     os.Getenv,
		Usual:      hostinfo.DockerEndpoints(),
		Own:        []string{"unix://" + inst.DockerSocket()},
		OwnContext: inst.ContextName(),
		Ask:        engineVersion,
		Progress:   a.progress.update,
	})
	if errors.Is(err, enginefinder.ErrNone) {
		return nil, fmt.Errorf("%w.\n%s", err, adviceFor(runtime.GOOS))
	}
	return engine, err
}

// engineVersion is the [enginefinder.Config.Ask] of real engines.
func engineVersion(ctx context.Context, endpoint string) (string, error) {
	engine, err := moby.New(moby.Config{Endpoint: endpoint})
	if err != nil {
		return "", err
	}
	info, err := engine.Info(ctx)
	return info.Version, errors.Join(err, engine.Close())
}

// adviceFor says what to do where there is no engine on a system.
func adviceFor(system string) string {
	install := "Docker Desktop (https://docs.docker.com/get-started/get-docker/), or another program that offers Docker's API"
	if system == "linux" {
		install = "Docker (on Debian and Ubuntu `sudo apt install docker.io`; else https://docs.docker.com/engine/install/) " +
			"or Podman with its socket (`systemctl --user enable --now podman.socket`)"
	}
	return "Install " + install + ", and run `rdd start` again.\nOr name an engine that is elsewhere, " +
		"as in `rdd set running=true containerEngine.endpoint=ssh://user@host`.\n" +
		"This version of rdd can't make a virtual machine with an engine of its own yet, with limactl or without."
}
