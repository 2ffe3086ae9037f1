// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/klog/v2"
	openapibuilder "k8s.io/kube-openapi/pkg/builder"
	"k8s.io/kube-openapi/pkg/common/restfuladapter"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const (
	openAPIv2Path = "/openapi/v2"

	// openAPIv2Idle is how long an unused document is kept.
	openAPIv2Idle = time.Minute
)

// openAPIv2 serves the document of all kinds, which few clients read: kubectl before
// 1.28, and any kubectl for a missing kind. It is built on demand, and dropped when it
// is unused for a while.
type openAPIv2 struct {
	build func() (*spec.Swagger, error)
	kinds func() uint64 // a new number after each change of the kinds
	idle  time.Duration

	mu   sync.Mutex
	made http.Handler // guarded by mu; serves the document; nil if there is none
	of   uint64       // guarded by mu; the number of the document's kinds
	drop *time.Timer  // guarded by mu; nil if there was no document yet
}

// ServeHTTP implements [http.Handler].
func (o *openAPIv2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	made, err := o.current()
	if err != nil {
		klog.ErrorS(err, "build the OpenAPI document of version 2")
		http.Error(w, "build the document: "+err.Error(), http.StatusInternalServerError)
		return
	}
	made.ServeHTTP(w, r)
}

// current returns a handler for the document of the current kinds.
func (o *openAPIv2) current() (http.Handler, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drop != nil {
		o.drop.Stop()
	}
	o.drop = time.AfterFunc(o.idle, o.forget)
	kinds := o.kinds()
	if o.made != nil && o.of == kinds {
		return o.made, nil
	}
	document, err := o.build()
	if err != nil {
		return nil, err
	}
	var made onlyHandler
	handler.NewOpenAPIService(document).RegisterOpenAPIVersionedService(openAPIv2Path, &made)
	o.made, o.of = made.Handler, kinds
	return o.made, nil
}

func (o *openAPIv2) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.made = nil
}

// onlyHandler stores the registered handler.
type onlyHandler struct{ http.Handler }

// Handle implements [k8s.io/kube-openapi/pkg/common.PathHandler].
func (o *onlyHandler) Handle(_ string, handler http.Handler) { o.Handler = handler }

// buildOpenAPIv2 describes the built-in kinds, CustomResourceDefinitions, and the kinds
// that they define.
func (c *chain) buildOpenAPIv2() (*spec.Swagger, error) {
	services := slices.Concat(c.front.Handler.GoRestfulContainer.RegisteredWebServices(), c.definitionsServices())
	native, err := openapibuilder.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices(services), c.openAPIv2())
	if err != nil {
		return nil, err
	}
	native.Definitions = handler.PruneDefaults(native.Definitions)
	var custom []*spec.Swagger
	for _, obj := range c.custom.Informers.Apiextensions().V1().CustomResourceDefinitions().Informer().GetStore().List() {
		definition := obj.(*apiextensionsv1.CustomResourceDefinition)
		if !established(definition) {
			continue
		}
		for _, version := range servedVersions(definition) {
			document, err := builder.BuildOpenAPIV2(definition, version, builder.Options{V2: true, IncludeSelectableFields: true})
			if err != nil {
				return nil, fmt.Errorf("describe %s %s: %w", definition.Name, version, err)
			}
			custom = append(custom, document)
		}
	}
	return builder.MergeSpecs(native, custom...)
}
