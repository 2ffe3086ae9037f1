// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
)

// seed writes missing definitions into the store before the API server reads it. A
// definition that is created through the API changes a few times until it is
// established, and for a change that the server notices late it closes the resource's
// storage and opens another one: half of all first starts took a second longer for
// that.
func (c *chain) seed(ctx context.Context, definitions []*apiextensionsv1.CustomResourceDefinition) error {
	resource := apiextensions.Resource("customresourcedefinitions")
	options, err := c.storages.definitions().GetRESTOptions(resource, &apiextensions.CustomResourceDefinition{})
	if err != nil {
		return err
	}
	prefix := "/" + options.ResourcePrefix // as in the registry of definitions
	store, closeStore, err := options.Decorator(options.StorageConfig, prefix, nil,
		func() runtime.Object { return &apiextensions.CustomResourceDefinition{} },
		func() runtime.Object { return &apiextensions.CustomResourceDefinitionList{} }, nil, nil, nil)
	if err != nil {
		return err
	}
	defer closeStore()
	for _, definition := range definitions {
		made := definition.DeepCopy()
		apiextensionsserver.Scheme.Default(made)
		made.Generation = 1
		rest.FillObjectMetaSystemFields(made)
		internal := &apiextensions.CustomResourceDefinition{}
		if err := apiextensionsserver.Scheme.Convert(made, internal, nil); err != nil {
			return err
		}
		err := store.Create(ctx, prefix+"/"+made.Name, internal, &apiextensions.CustomResourceDefinition{}, 0)
		if err != nil && !storage.IsExist(err) {
			return fmt.Errorf("create the definition %s: %w", made.Name, err)
		}
	}
	return nil
}
