// SPDX-License-Identifier: Apache-2.0

// Package finalizer adds and removes finalizers, with which controllers and owners keep
// objects until their cleanup is complete.
package finalizer

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Cleanup keeps an object until its own controller has cleaned up.
const Cleanup = "rdd.rancherdesktop.io/cleanup"

// OwnedBy is the prefix of the finalizers with which owners keep what they own; the
// owner's kind follows. A policy denies other clients the deletion of such an object
// and the removal of the finalizer: see policies/owned-engines.yaml of the API group
// containers.
const OwnedBy = "rdd.rancherdesktop.io/owned-by-"

// Ensure adds a finalizer to an object that is not being deleted.
func Ensure(ctx context.Context, c client.Client, object client.Object, name string) error {
	if object.GetDeletionTimestamp() != nil || !controllerutil.AddFinalizer(object, name) {
		return nil
	}
	return c.Update(ctx, object)
}

// Release removes a finalizer from an object, if present, regardless of concurrent
// writes. It does not change the object in memory.
func Release(ctx context.Context, c client.Client, object client.Object, name string) error {
	i := slices.Index(object.GetFinalizers(), name)
	if i < 0 {
		return nil
	}
	patch := fmt.Sprintf(`[{"op":"test","path":"/metadata/finalizers/%[1]d","value":%[2]q},{"op":"remove","path":"/metadata/finalizers/%[1]d"}]`, i, name)
	copied := object.DeepCopyObject().(client.Object)
	return client.IgnoreNotFound(c.Patch(ctx, copied, client.RawPatch(types.JSONPatchType, []byte(patch))))
}

// ReleaseLast is Release once no other finalizer is left: the owner keeps an object
// until every other controller has cleaned up, even if a client removed the owner
// reference.
func ReleaseLast(ctx context.Context, c client.Client, object client.Object, name string) error {
	if slices.ContainsFunc(object.GetFinalizers(), func(other string) bool { return other != name }) {
		return nil
	}
	return Release(ctx, c, object, name)
}
