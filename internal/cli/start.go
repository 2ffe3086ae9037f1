// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/properties"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/finder"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/hostinfo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

func (e *env) startCommand() *cobra.Command {
	var f waitFlags
	var settings startSettings
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start: bring the engine up, and wait until it is mirrored",
		Long: `Set running=true, and wait until the engine is connected and all of it is mirrored.

Where no engine has been chosen yet, and Lima is installed (limactl in PATH, beside
rdd, or named by RDD_LIMACTL), a virtual machine with Docker in it is made. Else an
engine with Docker's API that answers is taken: the one that the docker command would use
(DOCKER_HOST, DOCKER_CONTEXT, or the current context), else one at a usual place, such
as unix:///var/run/docker.sock. The command says which, and remembers it.

A virtual machine whose starts have failed is tried again at once.`,
		Example: `  rdd start
  rdd start --cpus 4 --memory 8 --mount ~/src:w

  # Another engine, from now on
  rdd set containerEngine.endpoint=ssh://user@host

  # The virtual machine, from now on
  rdd set running=true containerEngine.endpoint=`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			assignments, err := settings.assignments(cmd)
			if err != nil {
				return err
			}
			return e.withStartedDaemon(cmd.Context(), f.timeout, func(a *appSession) error { return a.startWith(assignments, f.wait) })
		},
	}
	addStartSettings(cmd, &settings)
	addWaitFlags(cmd, &f, "the engine is connected and mirrored")
	return cmd
}

// start sets running=true with other settings, and an engine that it finds where none is
// chosen.
func (a *appSession) start(spec map[string]any, wait bool) error {
	app, err := a.app().Get(a.ctx)
	if err != nil {
		return err
	}
	spec["running"] = true
	endpoint, named := endpointIn(spec)
	if !named && app != nil {
		endpoint = app.Spec.ContainerEngine.Endpoint
	}
	if !named && endpoint == "" {
		if err := a.choose(app, spec); err != nil {
			return err
		}
		endpoint, _ = endpointIn(spec)
	}
	a.sayUnused(spec, endpoint)
	if app != nil && app.Spec.Running && endpoint == "" {
		if err := a.tryAgain(app); err != nil {
			return err
		}
	}
	err = a.apply(spec, wait)
	var exit *command.ExitError
	if err != nil && a.goesOn && !errors.As(err, &exit) {
		err = fault.New(fault.KindOf(err), "", "", fmt.Errorf("%w; the daemon goes on trying: `rdd status` says how it is, `rdd stop` ends that", err))
	}
	return err
}

// tryAgain has the App's virtual machine, if its starts have failed, be started at
// once and not after the pause: the user may have removed the cause.
func (a *appSession) tryAgain(app *appv1alpha1.App) error {
	vm, err := a.app().Machine(a.ctx, app)
	if err != nil || vm == nil || !vm.ShouldRun() {
		return err
	}
	_, err = a.vms().Start(a.ctx, vm)
	return err
}

// choose decides where the engine is of an App that names none, or, where it is
// nil, of one that is to be made: in the virtual machine that is there, or in one
// that limactl can make, or already somewhere on this machine.
func (a *appSession) choose(app *appv1alpha1.App, spec map[string]any) error {
	if app != nil {
		vm, err := a.app().Machine(a.ctx, app)
		if err != nil || vm != nil {
			return err
		}
	}
	tool, noLima := a.limactl()
	if noLima == nil {
		a.sayNow("The engine is in a virtual machine of rdd's own, made by %s. To take another: `rdd set containerEngine.endpoint=…`", tool)
		return nil
	}
	engine, err := a.findEngine(app, spec)
	var none *finder.NoneError
	switch {
	case errors.As(err, &none) && none.Denied != "":
		return fmt.Errorf("you may not use the engine at %s: %w.\n%s", none.Denied, err, adviceForDenied(none.Denied))
	case errors.Is(err, finder.ErrNone):
		return fmt.Errorf("%w.\n%s", err, adviceFor(runtime.GOOS, noLima))
	}
	if err != nil {
		return err
	}
	if limactl.KindOf(noLima) != limactl.Missing {
		a.sayNow("Not taken: a virtual machine of rdd's own: %v", noLima)
	}
	for _, passed := range engine.Passed {
		a.sayNow("Not taken: %s", passed)
	}
	a.sayNow("The engine is Docker %s at %s (%s). To take another: `rdd set containerEngine.endpoint=…`",
		engine.Version, engine.Endpoint, engine.Source)
	properties.Assign(spec, []string{"containerEngine", "endpoint"}, engine.Endpoint)
	return nil
}

// limactl returns the path of a limactl that can make virtual machines, or why
// there is none.
func (a *appSession) limactl() (string, error) {
	a.progress.update("looking for limactl")
	tool, err := limactl.Open(a.ctx, limactl.NewProbe(clock.RealClock{}), limactl.ThisMachine(), a.service.Instance.LimaHome())
	if err != nil {
		return "", err
	}
	return tool.Path, tool.Check(a.ctx)
}

// findEngine finds an engine for an App that has none, or, where it is nil, for
// one that is to be made.
func (a *appSession) findEngine(app *appv1alpha1.App, spec map[string]any) (*finder.Engine, error) {
	name := string(appv1alpha1.EngineMoby)
	if app != nil {
		name = string(app.Spec.ContainerEngine.Name)
	}
	if engine, _ := spec["containerEngine"].(map[string]any); engine["name"] != nil {
		name = fmt.Sprint(engine["name"])
	}
	if name != string(appv1alpha1.EngineMoby) {
		return nil, fmt.Errorf("containerEngine.name is %s, and engines of that kind are not looked for: "+
			"name one with `rdd start --endpoint …`, or Docker's with `rdd start --engine moby`", name)
	}
	contexts, err := dockercontext.Open(os.Getenv)
	if err != nil {
		return nil, err
	}
	cfg := finder.For(a.service.Instance, contexts, hostinfo.DockerEndpoints(), os.Getenv)
	cfg.Ask, cfg.Progress = engineVersion, a.progress.update
	return finder.Find(a.ctx, cfg)
}

// engineVersion is the [finder.Config.Ask] of real engines.
func engineVersion(ctx context.Context, endpoint string) (string, error) {
	engine, err := moby.New(moby.Config{Endpoint: endpoint})
	if err != nil {
		return "", err
	}
	info, err := engine.Info(ctx)
	return info.Version, errors.Join(err, engine.Close())
}

// adviceForDenied says what to do about an engine that the user may not use.
func adviceForDenied(endpoint string) string {
	return diagnostics.Permits(endpoint, access.Group(access.SocketPath(endpoint)), "rdd") +
		". Then `rdd service stop`, as the daemon has the groups of its start, and `rdd start` again.\n" +
		"Or use an engine of your own: Docker without root (https://docs.docker.com/engine/security/rootless/), Podman " +
		"(`systemctl --user enable --now podman.socket`),\nor one that is elsewhere, as in `rdd set running=true containerEngine.endpoint=ssh://user@host`."
}

// adviceFor says what to do where there is no engine on a system, and no virtual
// machine to be had.
func adviceFor(system string, noLima error) string {
	install := "Docker Desktop (https://docs.docker.com/get-started/get-docker/), or another program that offers Docker's API"
	if system == "linux" {
		install = "Docker (on Debian and Ubuntu `sudo apt install docker.io`; else https://docs.docker.com/engine/install/) " +
			"or Podman with its socket (`systemctl --user enable --now podman.socket`)"
	}
	return "A virtual machine with an engine of its own can't be made either: " + noLima.Error() + ".\n" +
		"Install Lima (https://lima-vm.io/docs/installation/), or " + install + ", and run `rdd start` again.\n" +
		"Or name an engine that is elsewhere, as in `rdd set running=true containerEngine.endpoint=ssh://user@host`."
}
