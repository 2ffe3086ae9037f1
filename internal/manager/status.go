// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"reflect"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PatchStatus writes what an object's status has changed since before, and nothing
// if that is nothing. An object that does not exist is no error. Both have a field
// Status, as all kinds with a status have.
func PatchStatus(ctx context.Context, c client.Client, before, object client.Object) error {
	status := func(object client.Object) any {
		return reflect.ValueOf(object).Elem().FieldByName("Status").Interface()
	}
	if apiequality.Semantic.DeepEqual(status(before), status(object)) {
		return nil
	}
	return client.IgnoreNotFound(c.Status().Patch(ctx, object, client.MergeFrom(before)))
}
