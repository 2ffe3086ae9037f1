// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	secrets "github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/secret"
)

// secret is the Secret that a ContainerEngine names, and the version that the
// connection uses. A nil *secret is no Secret, and never changes.
type secret struct {
	secrets.Ref
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
		Ref:      secrets.Ref{Key: client.ObjectKey{Namespace: e.Namespace, Name: name}, Reader: r.reader},
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

// Read implements [engine.Secret].
func (s *secret) Read(ctx context.Context) (map[string][]byte, error) {
	data, version, err := s.ReadVersion(ctx)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	s.setVersion(version, true)
	if err != nil {
		return nil, fmt.Errorf("the Secret %s does not exist: it must have ca.crt (the engine's certificate authority), "+
			"and tls.crt and tls.key if the engine requires a client certificate", s.Key)
	}
	return data, nil
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
	secrets.Follow(ctx, s.metadata, s.Key, func(version string) { s.setVersion(version, false) })
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
