// SPDX-License-Identifier: Apache-2.0

// Package limaclient creates, changes and deletes LimaVMs for commands, and waits for the
// result. A wait reconnects when the connection is lost, for example because the daemon
// restarts.
package limaclient

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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/follow"
)

// errNoController is the error for a kind that is not served.
var errNoController = errors.New("this instance has no controllers of the lima group (see `rdd service status`)")

// Client is a command's client for LimaVMs.
type Client struct {
	follow.Source
	// Percent, which may be nil, is called with the percentage of the operation that is
	// done; nil if it is unknown.
	Percent func(percent *int32)
}

// NotFoundError reports that no LimaVM has a name.
type NotFoundError struct {
	Name string
	// Names are the existing names, sorted.
	Names []string
}

// Error implements error.
func (e *NotFoundError) Error() string {
	available := "none exist"
	if len(e.Names) > 0 {
		available = "available: " + strings.Join(e.Names, ", ")
	}
	return fmt.Sprintf("virtual machine %q not found (%s)", e.Name, available)
}

// List returns the LimaVMs of a namespace, or of all if it is empty, sorted by name.
func (c *Client) List(ctx context.Context, namespace string) ([]limav1alpha1.LimaVM, error) {
	api, err := c.Connect()
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

// Find returns the LimaVMs with the names, each once. If a name does not exist, the error
// is a [*NotFoundError].
func (c *Client) Find(ctx context.Context, namespace string, names ...string) ([]limav1alpha1.LimaVM, error) {
	all, err := c.List(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return Select(all, namespace, names...)
}

// Select is [Client.Find] among LimaVMs that were read before.
func Select(all []limav1alpha1.LimaVM, namespace string, names ...string) ([]limav1alpha1.LimaVM, error) {
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
			return nil, &NotFoundError{Name: name, Names: namesOf(all)}
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

// IsApps reports whether the App owns a LimaVM.
func IsApps(vm *limav1alpha1.LimaVM) bool {
	owner := metav1.GetControllerOf(vm)
	return owner != nil && owner.Kind == "App" && strings.HasPrefix(owner.APIVersion, appv1alpha1.GroupVersion.Group+"/")
}

// Start requests a virtual machine to run. After failed starts it is retried at once.
func (c *Client) Start(ctx context.Context, vm *limav1alpha1.LimaVM) (Request, error) {
	if !vm.ShouldRun() {
		return c.patch(ctx, vm, map[string]any{"spec": map[string]any{"running": true}})
	}
	if _, failing := failure(vm); failing {
		return c.patch(ctx, vm, restart())
	}
	return requestOf(vm), nil
}

// Stop requests a virtual machine to stop.
func (c *Client) Stop(ctx context.Context, vm *limav1alpha1.LimaVM) (Request, error) {
	return c.patch(ctx, vm, map[string]any{"spec": map[string]any{"running": false}})
}

// Restart requests a virtual machine to stop, if it runs, and to start.
func (c *Client) Restart(ctx context.Context, vm *limav1alpha1.LimaVM) (Request, error) {
	return c.patch(ctx, vm, restart())
}

func restart() map[string]any {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{limav1alpha1.RestartAnnotation: now}},
		"spec":     map[string]any{"running": true},
	}
}

// Delete requests the deletion of a virtual machine.
func (c *Client) Delete(ctx context.Context, vm *limav1alpha1.LimaVM) (Request, error) {
	api, err := c.Connect()
	if err != nil {
		return Request{}, err
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

// patch patches a LimaVM, and returns the resulting request.
func (c *Client) patch(ctx context.Context, vm *limav1alpha1.LimaVM, change map[string]any, options ...client.PatchOption) (Request, error) {
	api, err := c.Connect()
	if err != nil {
		return Request{}, err
	}
	data, err := json.Marshal(change)
	if err != nil {
		return Request{}, err
	}
	written := vm.DeepCopy()
	if err := api.Patch(ctx, written, client.RawPatch(types.MergePatchType, data), options...); err != nil {
		return Request{}, err
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
