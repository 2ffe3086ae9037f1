// SPDX-License-Identifier: Apache-2.0

// Package secret reads and watches one Secret without keeping its keys: it is read
// from the API server each time, and only its metadata is watched.
package secret

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Ref names a Secret, which need not exist.
type Ref struct {
	Key client.ObjectKey
	// Reader reads the API server itself: a cache would keep the keys.
	Reader client.Reader
}

// String returns the namespace and the name.
func (r Ref) String() string { return r.Key.String() }

// Read returns the data of the Secret.
func (r Ref) Read(ctx context.Context) (map[string][]byte, error) {
	data, _, err := r.ReadVersion(ctx)
	return data, err
}

// ReadVersion returns the data and the resource version, which is empty if there is no
// such Secret; the error is then a NotFound of the API.
func (r Ref) ReadVersion(ctx context.Context) (map[string][]byte, string, error) {
	var found corev1.Secret
	if err := r.Reader.Get(ctx, r.Key, &found); err != nil {
		return nil, "", fmt.Errorf("read the Secret %s: %w", r.Key, err)
	}
	return found.Data, found.ResourceVersion, nil
}

// Follow watches a Secret until ctx ends, and calls changed with each resource version
// that the Secret has or gets, one call after the other: empty when it is deleted.
func Follow(ctx context.Context, objects metadata.Interface, key client.ObjectKey, changed func(version string)) {
	informer := metadatainformer.NewFilteredMetadataInformer(objects, corev1.SchemeGroupVersion.WithResource("secrets"),
		key.Namespace, 0, toolscache.Indexers{}, func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name).String()
		}).Informer()
	saw := func(obj any) {
		if m, ok := obj.(client.Object); ok {
			changed(m.GetResourceVersion())
		}
	}
	// It fails only if the informer has stopped, which was not started yet.
	_, _ = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    saw,
		UpdateFunc: func(_, obj any) { saw(obj) },
		DeleteFunc: func(any) { changed("") },
	})
	informer.RunWithContext(ctx)
}
