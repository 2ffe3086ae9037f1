// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/properties"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

const (
	settleTimeout = 5 * time.Minute

	appDefinition = "apps.app.rancherdesktop.io"
)

// notSettable are the properties that a command line may not change.
var notSettable = []string{"namespace"}

// hopeless are the reasons of Settled=False that no waiting will change.
var hopeless = []string{
	appv1alpha1.ReasonVMNotSupported,
	containersv1alpha1.ReasonUnsupported,
	containersv1alpha1.ReasonConflict,
	containersv1alpha1.ReasonEngineChanged,
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// waitFlags say whether and how long to wait for the App to settle.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

func addWaitFlags(cmd *cobra.Command, f *waitFlags) {
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait until what was set is true")
	cmd.Flags().DurationVar(&f.timeout, "timeout", settleTimeout, "how long to wait")
}

func (e *env) setCommand() *cobra.Command {
	var f waitFlags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "set PROPERTY=VALUE...",
		Short: "Change settings of the App, and wait until they hold",
		Long: `Change settings of the App, which is made if there is none, and wait until
everything that was asked for is true. Without an argument the properties are
listed.`,
		Example: `  rdd set running=true containerEngine.endpoint=unix:///var/run/docker.sock`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withApp(cmd.Context(), f.timeout, func(a *appSession) error {
				definition, err := a.properties()
				if err != nil {
					return err
				}
				if len(args) == 0 {
					e.printProperties(definition)
					return nil
				}
				spec, err := definition.Parse(args)
				if err != nil {
					return err
				}
				return a.apply(spec, dryRun, f.wait)
			})
		},
	}
	addWaitFlags(cmd, &f)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check what was asked for; nothing is changed")
	return cmd
}

func (e *env) printProperties(set *properties.Set) {
	for _, property := range set.All() {
		kind := property.Type
		if len(property.Enum) > 0 {
			kind = fmt.Sprint(property.Enum)
		}
		_, _ = fmt.Fprintf(e.Stdout, "%s (%s", property.Name, kind)
		if property.Default != "" {
			_, _ = fmt.Fprintf(e.Stdout, ", default %s", property.Default)
		}
		_, _ = fmt.Fprintf(e.Stdout, ")\n")
		if property.Help != "" {
			_, _ = fmt.Fprintf(e.Stdout, "    %s\n", property.Help)
		}
	}
}

func (e *env) startCommand() *cobra.Command {
	var f waitFlags
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start the engine: set running=true, and wait",
		Args:  command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withApp(cmd.Context(), f.timeout, func(a *appSession) error {
				return a.apply(map[string]any{"running": true}, false, f.wait)
			})
		},
	}
	addWaitFlags(cmd, &f)
	return cmd
}

func (e *env) stopCommand() *cobra.Command {
	var f waitFlags
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the engine: set running=false, and wait",
		Args:  command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			if exists, err := inst.Exists(); err != nil || !exists {
				e.Say("There is no App: instance %s does not exist.", inst.Name())
				return err
			}
			return e.withApp(cmd.Context(), f.timeout, func(a *appSession) error {
				app, err := a.get()
				if err != nil {
					return err
				}
				if app == nil {
					e.Say("There is no App: nothing runs.")
					return nil
				}
				return a.apply(map[string]any{"running": false}, false, f.wait)
			})
		},
	}
	addWaitFlags(cmd, &f)
	return cmd
}

// appSession is one command's conversation with the API server about the App.
type appSession struct {
	*env
	ctx      context.Context
	service  *service.Service
	client   ctrlclient.WithWatch
	progress *progress
}

// withApp makes sure that the daemon is ready, and calls do within the timeout.
func (e *env) withApp(ctx context.Context, timeout time.Duration, do func(*appSession) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return e.withClient(ctx, do)
}

// withClient makes sure that the daemon is ready, and calls do.
func (e *env) withClient(ctx context.Context, do func(*appSession) error) error {
	p := newProgress(e.Stderr)
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return err
	}
	if _, err := svc.EnsureReady(ctx); err != nil {
		return err
	}
	c, err := client.New(svc.Instance.ConfigFile())
	if err != nil {
		return err
	}
	return do(&appSession{env: e, ctx: ctx, service: svc, client: c, progress: p})
}

// properties returns the settings that the served definition has.
func (a *appSession) properties() (*properties.Set, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := a.client.Get(a.ctx, ctrlclient.ObjectKey{Name: appDefinition}, definition); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, errors.New("the app controller is not enabled in this instance (see `rdd service status`)")
		}
		return nil, err
	}
	return properties.FromDefinition(definition, notSettable...)
}

// get returns the App, or nil where there is none.
func (a *appSession) get() (*appv1alpha1.App, error) {
	app := &appv1alpha1.App{}
	err := a.client.Get(a.ctx, ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, app)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return app, err
}

// apply writes the settings in one write, and waits for what it wrote.
func (a *appSession) apply(spec map[string]any, dryRun, wait bool) error {
	generation, err := a.write(spec, dryRun)
	if err != nil {
		return err
	}
	a.progress.done()
	if dryRun {
		a.Say("It would be accepted. Nothing was changed.")
		return nil
	}
	if !wait {
		a.Say("The App was changed.")
		return nil
	}
	return a.settle(generation)
}

// write patches the App, or makes it, and returns its generation then.
func (a *appSession) write(spec map[string]any, dryRun bool) (int64, error) {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(appv1alpha1.GroupVersion.WithKind("App"))
	object.SetName(appv1alpha1.AppName)
	var patchOptions []ctrlclient.PatchOption
	var createOptions []ctrlclient.CreateOption
	if dryRun {
		patchOptions = append(patchOptions, ctrlclient.DryRunAll)
		createOptions = append(createOptions, ctrlclient.DryRunAll)
	}
	data, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return 0, err
	}
	patched := object.DeepCopy()
	err = a.client.Patch(a.ctx, patched, ctrlclient.RawPatch(types.MergePatchType, data), patchOptions...)
	if apierrors.IsNotFound(err) {
		patched = object
		err = a.client.Create(a.ctx, patched, createOptions...)
	}
	return patched.GetGeneration(), err
}

// settle waits until everything that the generation asks for is true, showing
// what it waits for.
func (a *appSession) settle(generation int64) error {
	watcher, err := a.client.Watch(a.ctx, &appv1alpha1.AppList{}, ctrlclient.MatchingFields{"metadata.name": appv1alpha1.AppName})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	last := "nothing has happened yet"
	for {
		var event watch.Event
		var open bool
		select {
		case event, open = <-watcher.ResultChan():
		case <-a.ctx.Done():
		}
		if !open {
			if a.ctx.Err() != nil {
				return fault.New(fault.Deadline, "", "", fmt.Errorf("not settled in time: %s (log: %s)", last, a.service.Instance.StderrLog()))
			}
			return errors.New("the API server ended the watch")
		}
		app, ok := event.Object.(*appv1alpha1.App)
		switch {
		case event.Type == watch.Deleted:
			return errors.New("the App was deleted meanwhile")
		case !ok:
			return apierrors.FromObject(event.Object)
		}
		settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
		if settled == nil || settled.ObservedGeneration < generation {
			continue
		}
		if settled.Status == metav1.ConditionTrue {
			a.progress.done()
			a.Say("Settled: %s.", settled.Message)
			return nil
		}
		last = settled.Reason + ": " + settled.Message
		a.progress.update(last)
		if slices.Contains(hopeless, settled.Reason) {
			return fmt.Errorf("%s (log: %s)", last, a.service.Instance.StderrLog())
		}
	}
}
