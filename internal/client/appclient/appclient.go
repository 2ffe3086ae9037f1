// SPDX-License-Identifier: Apache-2.0

// Package appclient reads and changes the App for commands, and waits until it
// has come true. A connection that is lost during the wait, as the daemon is started
// again, is taken up again.
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

// notSettable are the properties that a command line may not change.
var notSettable = []string{"namespace"}

// Client is a command's conversation with the API server about the App.
type Client struct {
	// Connect returns a client for the API server. It is called again when the
	// connection was lost, as the daemon may have another address then.
	Connect func() (client.WithWatch, error)
	// Alive, which may be nil, reports whether the daemon runs.
	Alive func() bool
	// Progress, which may be nil, is told what is being waited for.
	Progress func(message string)
	// Percent, which may be nil, is told how much is over of what the virtual
	// machine is doing; nil if that is unknown. It is called from another
	// goroutine.
	Percent func(percent *int32)
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
			continue // another client created it
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

// dropNil removes what takes a value back: in what is new there is none.
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
