// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"reflect"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PatchStatus writes the changes of an object's status since before; without changes it
// writes nothing. A missing object is not an error. Both objects must have a field
// Status.
func PatchStatus(ctx context.Context, c client.Client, before, object client.Object) error {
	status := func(object client.Object) any {
		return reflect.ValueOf(object).Elem().FieldByName("Status").Interface()
	}
	if apiequality.Semantic.DeepEqual(status(before), status(object)) {
		return nil
	}
	return client.IgnoreNotFound(c.Status().Patch(ctx, object, client.MergeFrom(before)))
}
