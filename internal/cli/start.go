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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/finder"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
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
		Short: "Start the engine and mirror its objects",
		Long: `Start the container engine (set running=true), and wait until it is connected and all its
objects are mirrored.

If you have not chosen an engine yet and Lima is installed (limactl in PATH, next to rdd, or
named by RDD_LIMACTL), rdd creates a virtual machine with Docker. Otherwise rdd uses an
existing engine with a Docker API: the engine of the docker command (DOCKER_HOST,
DOCKER_CONTEXT, or the current context), or an engine at a well-known endpoint such as
unix:///var/run/docker.sock. The command prints the engine that it chose, and saves it.

If earlier starts of the virtual machine failed, the daemon retries at once.`,
		Example: `  rdd start
  rdd start --cpus 4 --memory 8 --mount ~/src:w

  # Use another engine
  rdd set containerEngine.endpoint=ssh://user@host

  # Use the virtual machine
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

// start sets running=true with other settings, and chooses an engine if none is set.
func (a *appSession) start(spec map[string]any, wait bool) error {
	app, err := a.client.App(a.ctx)
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
		if err := a.retryMachine(app); err != nil {
			return err
		}
	}
	err = a.apply(spec, wait)
	var exit *command.ExitError
	if err != nil && a.pending && !errors.As(err, &exit) {
		err = fault.New(fault.KindOf(err), "", "", fmt.Errorf("%w; the daemon keeps retrying: see `rdd status`, or stop it with `rdd stop`", err))
	}
	return err
}

// retryMachine requests a start of the App's virtual machine without the pause after
// failed starts: the user may have fixed the cause.
func (a *appSession) retryMachine(app *appv1alpha1.App) error {
	vm, err := a.client.AppVM(a.ctx, app)
	if err != nil || vm == nil || !vm.ShouldRun() {
		return err
	}
	_, err = a.client.StartVM(a.ctx, vm)
	return err
}

// choose chooses the engine of an App without an endpoint, or, if app is nil, of a new
// App: in the existing virtual machine, in one that limactl can create, or an existing
// engine on this machine.
func (a *appSession) choose(app *appv1alpha1.App, spec map[string]any) error {
	if app != nil {
		vm, err := a.client.AppVM(a.ctx, app)
		if err != nil || vm != nil {
			return err
		}
	}
	tool, noLima := a.limactl()
	if noLima == nil {
		a.sayNow("Using an engine in a virtual machine created with %s. To use another engine: `rdd set containerEngine.endpoint=…`", tool)
		return nil
	}
	engine, err := a.findEngine(app, spec)
	var none *finder.NoneError
	switch {
	case errors.As(err, &none) && none.Denied != "":
		return fmt.Errorf("no permission to use the engine at %s: %w.\n%s", none.Denied, err, adviceForDenied(none.Denied))
	case errors.Is(err, finder.ErrNone):
		return fmt.Errorf("%w.\n%s", err, adviceFor(runtime.GOOS, noLima))
	}
	if err != nil {
		return err
	}
	if limactl.KindOf(noLima) != limactl.Missing {
		a.sayNow("Skipped: a virtual machine: %v", noLima)
	}
	for _, passed := range engine.Passed {
		a.sayNow("Skipped: %s", passed)
	}
	a.sayNow("Using Docker %s at %s (%s). To use another engine: `rdd set containerEngine.endpoint=…`",
		engine.Version, engine.Endpoint, engine.Source)
	properties.Assign(spec, []string{"containerEngine", "endpoint"}, engine.Endpoint)
	return nil
}

// limactl returns the path of a limactl that can create virtual machines, or why there
// is none.
func (a *appSession) limactl() (string, error) {
	a.progress.update("looking for limactl")
	tool, err := limactl.Open(a.ctx, limactl.NewProbe(clock.RealClock{}), limactl.ThisMachine(), a.service.Instance.LimaHome())
	if err != nil {
		return "", err
	}
	return tool.Path, tool.Check(a.ctx)
}

// findEngine finds an engine for an App that has none, or, if app is nil, for a new App.
// The spec is what is to be written.
func (a *appSession) findEngine(app *appv1alpha1.App, spec map[string]any) (*finder.Engine, error) {
	var name appv1alpha1.EngineName // the default
	if app != nil {
		name = app.Spec.ContainerEngine.Name
	}
	if engine, _ := spec["containerEngine"].(map[string]any); engine["name"] != nil {
		name = appv1alpha1.EngineName(fmt.Sprint(engine["name"]))
	}
	if !traits.Of(name).IsDockerAPI {
		return nil, fmt.Errorf("containerEngine.name is %q, and rdd can't find engines of this type: "+
			"set their endpoint with `rdd set containerEngine.endpoint=…`, or use Docker with `rdd set containerEngine.name=moby`", name)
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

// adviceForDenied returns what to do about an engine that the user has no permission for.
func adviceForDenied(denied string) string {
	return diagnostics.Permits(denied, access.Group(endpoint.SocketPath(denied)), "rdd") +
		". Then run `rdd service stop`, because the daemon keeps the groups that it was started with, and `rdd start` again.\n" +
		"Or use an engine of your own: rootless Docker (https://docs.docker.com/engine/security/rootless/), Podman " +
		"(`systemctl --user enable --now podman.socket`),\nor a remote engine: `rdd set running=true containerEngine.endpoint=ssh://user@host`."
}

// adviceFor returns what to do on a system without an engine, and without a usable
// limactl.
func adviceFor(system string, noLima error) string {
	install := "Docker Desktop (https://docs.docker.com/get-started/get-docker/), or another engine with a Docker API"
	if system == "linux" {
		install = "Docker (on Debian and Ubuntu `sudo apt install docker.io`; else https://docs.docker.com/engine/install/) " +
			"or Podman with its socket (`systemctl --user enable --now podman.socket`)"
	}
	return "rdd can't create a virtual machine with an engine either: " + noLima.Error() + ".\n" +
		"Install Lima (https://lima-vm.io/docs/installation/), or " + install + ", and run `rdd start` again.\n" +
		"Or use a remote engine: `rdd set running=true containerEngine.endpoint=ssh://user@host`."
}
