// SPDX-License-Identifier: Apache-2.0

package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// errNoController is the error for a kind that is not served.
var errNoController = errors.New("this instance has no controllers of the lima group (see `rdd service status`)")

// VMNotFoundError reports that no LimaVM has a name.
type VMNotFoundError struct {
	Name string
	// Names are the existing names, sorted.
	Names []string
}

// Error implements error.
func (e *VMNotFoundError) Error() string {
	available := "none exist"
	if len(e.Names) > 0 {
		available = "available: " + strings.Join(e.Names, ", ")
	}
	return fmt.Sprintf("virtual machine %q not found (%s)", e.Name, available)
}

// VMs returns the LimaVMs of a namespace, or of all if it is empty, sorted by name.
func (s *Session) VMs(ctx context.Context, namespace string) ([]limav1alpha1.LimaVM, error) {
	api, err := s.API()
	if err != nil {
		return nil, err
	}
	var list limav1alpha1.LimaVMList
	if err := api.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, explain(err)
	}
	slices.SortFunc(list.Items, func(a, b limav1alpha1.LimaVM) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace))
	})
	return list.Items, nil
}

func explain(err error) error {
	if status := apierrors.APIStatus(nil); apimeta.IsNoMatchError(err) || errors.As(err, &status) && apierrors.IsNotFound(err) {
		return errNoController
	}
	return err
}

// FindVMs returns the LimaVMs with the names, each once. If a name does not exist, the error
// is a [*VMNotFoundError].
func (s *Session) FindVMs(ctx context.Context, namespace string, names ...string) ([]limav1alpha1.LimaVM, error) {
	all, err := s.VMs(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return SelectVMs(all, namespace, names...)
}

// SelectVMs is [Session.FindVMs] among LimaVMs that were read before.
func SelectVMs(all []limav1alpha1.LimaVM, namespace string, names ...string) ([]limav1alpha1.LimaVM, error) {
	if namespace != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(vm limav1alpha1.LimaVM) bool { return vm.Namespace != namespace })
	}
	var found []limav1alpha1.LimaVM
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		var named []limav1alpha1.LimaVM
		for i := range all {
			if all[i].Name == name {
				named = append(named, all[i])
			}
		}
		switch len(named) {
		case 0:
			return nil, &VMNotFoundError{Name: name, Names: namesOf(all)}
		case 1:
			found = append(found, named[0])
		default:
			return nil, fmt.Errorf("virtual machine %q exists in several namespaces: use --namespace", name)
		}
	}
	return found, nil
}

func namesOf(all []limav1alpha1.LimaVM) (names []string) {
	for i := range all {
		names = append(names, all[i].Name)
	}
	return slices.Compact(names)
}

// IsAppsVM reports whether the App owns a LimaVM.
func IsAppsVM(vm *limav1alpha1.LimaVM) bool {
	owner := metav1.GetControllerOf(vm)
	return owner != nil && owner.Kind == "App" && strings.HasPrefix(owner.APIVersion, appv1alpha1.GroupVersion.Group+"/")
}

// StartVM requests a virtual machine to run. After failed starts it is retried at once.
func (s *Session) StartVM(ctx context.Context, vm *limav1alpha1.LimaVM) (VMRequest, error) {
	if !vm.ShouldRun() {
		return s.patchVM(ctx, vm, map[string]any{"spec": map[string]any{"running": true}})
	}
	if _, failing := failure(vm); failing {
		return s.patchVM(ctx, vm, restartPatch())
	}
	return requestOf(vm), nil
}

// StopVM requests a virtual machine to stop.
func (s *Session) StopVM(ctx context.Context, vm *limav1alpha1.LimaVM) (VMRequest, error) {
	return s.patchVM(ctx, vm, map[string]any{"spec": map[string]any{"running": false}})
}

// RestartVM requests a virtual machine to stop, if it runs, and to start.
func (s *Session) RestartVM(ctx context.Context, vm *limav1alpha1.LimaVM) (VMRequest, error) {
	return s.patchVM(ctx, vm, restartPatch())
}

func restartPatch() map[string]any {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{limav1alpha1.RestartAnnotation: now}},
		"spec":     map[string]any{"running": true},
	}
}

// DeleteVM requests the deletion of a virtual machine.
func (s *Session) DeleteVM(ctx context.Context, vm *limav1alpha1.LimaVM) (VMRequest, error) {
	api, err := s.API()
	if err != nil {
		return VMRequest{}, err
	}
	request := requestOf(vm)
	request.gone = true
	_, request.stale = failure(vm)
	request.stale = request.stale && vm.DeletionTimestamp != nil
	err = api.Delete(ctx, vm, client.Preconditions{UID: &vm.UID})
	if apierrors.IsConflict(err) {
		return request, nil // deleted and created again
	}
	return request, client.IgnoreNotFound(err)
}

// patchVM patches a LimaVM, and returns the resulting request.
func (s *Session) patchVM(ctx context.Context, vm *limav1alpha1.LimaVM, change map[string]any, options ...client.PatchOption) (VMRequest, error) {
	api, err := s.API()
	if err != nil {
		return VMRequest{}, err
	}
	data, err := json.Marshal(change)
	if err != nil {
		return VMRequest{}, err
	}
	written := vm.DeepCopy()
	if err := api.Patch(ctx, written, client.RawPatch(types.MergePatchType, data), options...); err != nil {
		return VMRequest{}, err
	}
	request := requestOf(written)
	if written.UID != vm.UID {
		return request, fmt.Errorf("%s was deleted and created again during the wait", vm.Name)
	}
	// The status may show an earlier failure until the controller observes the request.
	// A new generation would distinguish the two.
	_, request.stale = failure(vm)
	request.stale = request.stale && written.Generation == vm.Generation
	return request, nil
}
