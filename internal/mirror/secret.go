// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// secret is the Secret that a ContainerEngine names. It is read from the API server
// each time, and only its metadata is watched, so that no key stays in memory. A nil
// *secret is no Secret, and never changes.
type secret struct {
	key      client.ObjectKey
	reader   client.Reader // not from a cache
	metadata metadata.Interface
	// wake holds a value after a change.
	wake chan struct{}

	mu      sync.Mutex
	read    bool   // guarded by mu
	version string // guarded by mu; the resource version, empty for none; valid once it was read
}

// secretOf returns the Secret that the spec names; nil for none.
func (r *reconciler) secretOf(e *containersv1alpha1.ContainerEngine) *secret {
	name := e.SecretName()
	if name == "" {
		return nil
	}
	return &secret{
		key:      client.ObjectKey{Namespace: e.Namespace, Name: name},
		reader:   r.reader,
		metadata: r.metadata,
		wake:     make(chan struct{}, 1),
	}
}

// material returns the Secret for an engine.
func (s *secret) material() engine.Secret {
	if s == nil {
		return nil // and not an interface that holds a nil
	}
	return s
}

// String implements [engine.Secret].
func (s *secret) String() string { return s.key.String() }

// Read implements [engine.Secret].
func (s *secret) Read(ctx context.Context) (map[string][]byte, error) {
	var found corev1.Secret
	err := s.reader.Get(ctx, s.key, &found)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read the Secret %s: %w", s.key, err)
	}
	s.setVersion(found.ResourceVersion, true)
	if err != nil {
		return nil, fmt.Errorf("the Secret %s does not exist: it must have ca.crt (the engine's certificate authority), "+
			"and tls.crt and tls.key if the engine requires a client certificate", s.key)
	}
	return found.Data, nil
}

// changed returns a channel that receives a value when the Secret was created, changed
// or deleted.
func (s *secret) changed() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.wake
}

// follow watches the Secret until ctx ends.
func (s *secret) follow(ctx context.Context) {
	if s == nil {
		return
	}
	informer := metadatainformer.NewFilteredMetadataInformer(s.metadata, corev1.SchemeGroupVersion.WithResource("secrets"),
		s.key.Namespace, 0, toolscache.Indexers{}, func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, s.key.Name).String()
		}).Informer()
	observe := func(obj any) {
		if m, ok := obj.(client.Object); ok {
			s.setVersion(m.GetResourceVersion(), false)
		}
	}
	// It fails only if the informer has stopped, and that has not started.
	_, _ = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    observe,
		UpdateFunc: func(_, obj any) { observe(obj) },
		DeleteFunc: func(any) { s.setVersion("", false) },
	})
	informer.RunWithContext(ctx)
}

// setVersion records the version of the Secret, empty for none. Changes before the
// first read do not matter: there is no connection yet.
func (s *secret) setVersion(version string, read bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.read
	s.read = s.read || read
	if !s.read || version == s.version {
		return
	}
	s.version = version
	if first {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // a value is waiting
	}
}
