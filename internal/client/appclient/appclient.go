// SPDX-License-Identifier: Apache-2.0

// Package appclient reads and changes the App for commands, and waits until it has
// settled. A wait reconnects when the connection is lost, for example because the daemon
// restarts.
package appclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/properties"
)

const definitionName = "apps.app.rancherdesktop.io"

// notSettable are the properties that a command line must not change.
var notSettable = []string{"namespace"}

// Client is a command's client for the App.
type Client struct {
	// Connect returns a client for the API server. It is called again after a lost
	// connection, because the daemon's address may have changed.
	Connect func() (client.WithWatch, error)
	// Alive, which may be nil, reports whether the daemon runs.
	Alive func() bool
	// Progress, which may be nil, is called with a description of the wait.
	Progress func(message string)
	// Percent, which may be nil, is called with the percentage of the virtual machine's
	// operation that is done; nil if it is unknown. The call is from another goroutine.
	Percent func(percent *int32)
}

func (c *Client) progress(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...))
	}
}

var key = client.ObjectKey{Name: appv1alpha1.AppName}

// Properties returns the settings in the served definition of the App.
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

// PropertiesOf returns the settings in a definition of the App.
func PropertiesOf(definition *apiextensionsv1.CustomResourceDefinition) (*properties.Set, error) {
	return properties.FromDefinition(definition, notSettable...)
}

// Get returns the App, or nil if it does not exist.
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

// Set writes settings in one request, creates the App if it does not exist, and returns the
// generation with the settings. If the App is being deleted, Set waits until it is gone
// and creates a new one. With dryRun nothing changes.
func (c *Client) Set(ctx context.Context, spec map[string]any, dryRun bool) (generation int64, err error) {
	data, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return 0, err
	}
	for {
		written, err := c.write(ctx, spec, data, dryRun)
		switch {
		case apierrors.IsAlreadyExists(err):
			continue // another client created the App
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
		dropNil(object.Object)
		err = api.Create(ctx, patched, createOptions...)
	}
	return patched, err
}

// dropNil removes the nil values, which reset a value: a new object has none to reset.
func dropNil(fields map[string]any) {
	for name, value := range fields {
		if value == nil {
			delete(fields, name)
		}
		if inner, ok := value.(map[string]any); ok {
			dropNil(inner)
		}
	}
}
