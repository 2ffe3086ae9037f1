// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
)

const untrackedName = "UntrackedFields"

// untracked drops the managed fields of new objects of some resources, which record the
// writer of each field. The API server does not track them later either, until a client
// applies to the object. Objects with one writer, of which there may be thousands, are
// half the size without them, and faster to write.
type untracked struct {
	*admission.Handler
	resources []schema.GroupResource
}

func (u untracked) register(plugins *admission.Plugins) {
	plugins.Register(untrackedName, func(io.Reader) (admission.Interface, error) {
		u.Handler = admission.NewHandler(admission.Create)
		return u, nil
	})
}

// Admit implements [admission.MutationInterface].
func (u untracked) Admit(_ context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	if attributes.GetSubresource() != "" || !slices.Contains(u.resources, attributes.GetResource().GroupResource()) {
		return nil
	}
	object, err := meta.Accessor(attributes.GetObject())
	if err != nil {
		return err
	}
	applied := func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Operation == metav1.ManagedFieldsOperationApply
	}
	if !slices.ContainsFunc(object.GetManagedFields(), applied) {
		object.SetManagedFields(nil)
	}
	return nil
}
