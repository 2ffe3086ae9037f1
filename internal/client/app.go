// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/properties"
)

const definitionName = "apps.app.rancherdesktop.io"

// notSettable are the properties that a command line must not change.
var notSettable = []string{"namespace"}

var appKey = client.ObjectKey{Name: appv1alpha1.AppName}

// AppProperties returns the settings in the served definition of the App.
func (s *Session) AppProperties(ctx context.Context) (*properties.Set, error) {
	api, err := s.API()
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

// App returns the App, or nil if it does not exist.
func (s *Session) App(ctx context.Context) (*appv1alpha1.App, error) {
	api, err := s.API()
	if err != nil {
		return nil, err
	}
	app := &appv1alpha1.App{}
	err = api.Get(ctx, appKey, app)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return app, err
}

// SetApp writes settings in one request, creates the App if it does not exist, and returns
// what [Session.SettleApp] waits for. If the App is being deleted, SetApp waits until it is
// gone and creates a new one. With dryRun nothing changes.
func (s *Session) SetApp(ctx context.Context, spec map[string]any, dryRun bool) (AppRequest, error) {
	data, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return AppRequest{}, err
	}
	for {
		written, err := s.writeApp(ctx, spec, data, dryRun)
		switch {
		case apierrors.IsAlreadyExists(err):
			continue // another client created the App
		case err != nil:
			return AppRequest{}, err
		case written.GetDeletionTimestamp() == nil || dryRun:
			return requestOfApp(written)
		}
		if err := s.WaitAppGone(ctx, written); err != nil {
			return AppRequest{}, err
		}
	}
}

func (s *Session) writeApp(ctx context.Context, spec map[string]any, data []byte, dryRun bool) (*unstructured.Unstructured, error) {
	api, err := s.API()
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

// requestOfApp returns the desired state in an App as it was written.
func requestOfApp(written *unstructured.Unstructured) (AppRequest, error) {
	app := &appv1alpha1.App{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(written.Object, app); err != nil {
		return AppRequest{}, err
	}
	return AppRequest{Generation: app.Generation, stale: stalledSince(app, app.Generation) != nil}, nil
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
