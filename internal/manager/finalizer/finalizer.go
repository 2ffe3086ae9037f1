// SPDX-License-Identifier: Apache-2.0

// Package finalizer holds objects that are to be deleted for as long as
// something is left to do: for their own controller, or for their owner.
package finalizer

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Cleanup holds an object until its own controller has cleaned up after it.
const Cleanup = "rdd.rancherdesktop.io/cleanup"

// OwnedBy begins the finalizers by which owners hold what they own; the owner's
// kind ends it. A policy refuses that others delete such an object, or take the
// finalizer away: see policies/owned-engines.yaml of the API group containers.
const OwnedBy = "rdd.rancherdesktop.io/owned-by-"

// Ensure puts a finalizer on an object that is not being deleted.
func Ensure(ctx context.Context, c client.Client, object client.Object, name string) error {
	if object.GetDeletionTimestamp() != nil || !controllerutil.AddFinalizer(object, name) {
		return nil
	}
	return c.Update(ctx, object)
}

// Release takes a finalizer from an object, where it is there, whoever else
// writes to the object at the same time. The object in memory is not changed.
func Release(ctx context.Context, c client.Client, object client.Object, name string) error {
	i := slices.Index(object.GetFinalizers(), name)
	if i < 0 {
		return nil
	}
	patch := fmt.Sprintf(`[{"op":"test","path":"/metadata/finalizers/%[1]d","value":%[2]q},{"op":"remove","path":"/metadata/finalizers/%[1]d"}]`, i, name)
	copied := object.DeepCopyObject().(client.Object)
	return client.IgnoreNotFound(c.Patch(ctx, copied, client.RawPatch(types.JSONPatchType, []byte(patch))))
}

// ReleaseLast is Release once no other finalizer is left: whoever owns an object
// knows it until all others have cleaned up after it, even if a client took away
// the reference to its owner.
func ReleaseLast(ctx context.Context, c client.Client, object client.Object, name string) error {
	if slices.ContainsFunc(object.GetFinalizers(), func(other string) bool { return other != name }) {
		return nil
	}
	return Release(ctx, c, object, name)
}
