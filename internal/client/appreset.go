// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// AppVM returns the App's virtual machine, or nil if it does not exist.
func (s *Session) AppVM(ctx context.Context, app *appv1alpha1.App) (*limav1alpha1.LimaVM, error) {
	api, err := s.API()
	if err != nil {
		return nil, err
	}
	vm := &limav1alpha1.LimaVM{}
	err = api.Get(ctx, client.ObjectKey{Namespace: app.Spec.Namespace, Name: appv1alpha1.VMName}, vm)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return vm, err
}

// ResetApp requests the replacement of the App's virtual machine, and returns what
// [Session.SettleApp] waits for. Each request must be unique.
func (s *Session) ResetApp(ctx context.Context, request string) (AppRequest, error) {
	api, err := s.API()
	if err != nil {
		return AppRequest{}, err
	}
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{appv1alpha1.ResetAnnotation: request}}})
	if err != nil {
		return AppRequest{}, err
	}
	app := &appv1alpha1.App{}
	app.Name = appv1alpha1.AppName
	err = api.Patch(ctx, app, client.RawPatch(types.MergePatchType, data))
	return AppRequest{Generation: app.Generation, Reset: request}, err
}
