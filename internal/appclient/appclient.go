// SPDX-License-Identifier: Apache-2.0

// Package appclient reads and changes the App for commands, and waits until it
// has come true. A connection that is lost meanwhile, as the daemon is started
// again, is taken up again.
package appclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/properties"
)

const definitionName = "apps.app.rancherdesktop.io"

// notSettable are the properties that a command line may not change.
var notSettable = []string{"namespace"}

// hopeless are the reasons of Settled=False that no waiting will change.
var hopeless = []string{
	appv1alpha1.ReasonVMNotSupported,
	containersv1alpha1.ReasonUnsupported,
	containersv1alpha1.ReasonConflict,
	containersv1alpha1.ReasonEngineChanged,
}

// Client is a command's conversation with the API server about the App.
type Client struct {
	// Connect returns a client for the API server. It is called again when the
	// connection was lost, as the daemon may have another address then.
	Connect func() (client.WithWatch, error)
	// Progress, which may be nil, is told what is being waited for.
	Progress func(message string)
}

func (c *Client) progress(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...))
	}
}

var key = client.ObjectKey{Name: appv1alpha1.AppName}

// Properties returns the settings that the served definition has.
func (c *Client) Properties(ctx context.Context) (*properties.Set, error) {
	api, err := c.Connect()
	if err != nil {
		return nil, err
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := api.Get(ctx, client.ObjectKey{Name: definitionName}, definition); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, errors.New("the app controller is not enabled in this instance (see `rdd service status`)")
		}
		return nil, err
	}
	return PropertiesOf(definition)
}

// PropertiesOf returns the settings that a definition of the App has.
func PropertiesOf(definition *apiextensionsv1.CustomResourceDefinition) (*properties.Set, error) {
	return properties.FromDefinition(definition, notSettable...)
}

// Get returns the App, or nil where there is none.
func (c *Client) Get(ctx context.Context) (*appv1alpha1.App, error) {
	api, err := c.Connect()
	if err != nil {
		return nil, err
	}
	app := &appv1alpha1.App{}
	err = api.Get(ctx, key, app)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return app, err
}

// Set writes settings in one write, to the App or to one that it makes, and
// returns the generation that asks for them. One that is being deleted is waited
// for to be gone. With dryRun nothing is changed.
func (c *Client) Set(ctx context.Context, spec map[string]any, dryRun bool) (generation int64, err error) {
	data, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return 0, err
	}
	for {
		written, err := c.write(ctx, spec, data, dryRun)
		switch {
		case apierrors.IsAlreadyExists(err):
			continue // somebody else made it meanwhile
		case err != nil:
			return 0, err
		case written.GetDeletionTimestamp() == nil || dryRun:
			return written.GetGeneration(), nil
		}
		if err := c.WaitGone(ctx, written); err != nil {
			return 0, err
		}
	}
}

func (c *Client) write(ctx context.Context, spec map[string]any, data []byte, dryRun bool) (client.Object, error) {
	api, err := c.Connect()
	if err != nil {
		return nil, err
	}
	var patchOptions []client.PatchOption
	var createOptions []client.CreateOption
	if dryRun {
		patchOptions = append(patchOptions, client.DryRunAll)
		createOptions = append(createOptions, client.DryRunAll)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(appv1alpha1.GroupVersion.WithKind("App"))
	object.SetName(appv1alpha1.AppName)
	patched := object.DeepCopy()
	err = api.Patch(ctx, patched, client.RawPatch(types.MergePatchType, data), patchOptions...)
	if apierrors.IsNotFound(err) {
		patched = object
		err = api.Create(ctx, patched, createOptions...)
	}
	return patched, err
}

// Settle waits until everything that the generation asks for is true, and returns
// what the App says of it. An error says what is not; at the end of ctx it is a
// [fault.Deadline], or that ctx was cancelled.
func (c *Client) Settle(ctx context.Context, generation int64) (message string, err error) {
	last := "nothing has happened yet"
	err = c.follow(ctx, apps, key, func(object client.Object) (bool, error) {
		app, ok := object.(*appv1alpha1.App)
		if !ok {
			return false, errors.New("the App was deleted meanwhile")
		}
		settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
		if settled == nil || settled.ObservedGeneration < generation {
			return false, nil
		}
		if settled.Status == metav1.ConditionTrue {
			message = settled.Message
			return true, nil
		}
		last = describe(settled)
		if slices.Contains(hopeless, settled.Reason) {
			return false, errors.New(last)
		}
		c.progress("%s", last)
		return false, nil
	})
	return message, ended(ctx, err, func() error { return errors.New("not settled in time: " + last) })
}

func describe(condition *metav1.Condition) string {
	if condition.Message == "" {
		return condition.Reason
	}
	return condition.Reason + ": " + condition.Message
}

// ended turns the end of a wait's context into an error that says what was
// waited for.
func ended(ctx context.Context, err error, late func() error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Deadline, "", "", late())
	}
	return err
}
