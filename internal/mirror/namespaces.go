// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// namespaces has the ContainerNamespace of each namespace of an engine. It has the
// name of the namespace, or a hash if that is not a valid name in Kubernetes; if
// another engine's ContainerNamespace already has the name, a dot and the name of the
// ContainerEngine are appended.
type namespaces struct {
	syncer *syncer

	mu       sync.Mutex
	names    map[string]string       // guarded by mu; by the engine's namespace
	released map[engine.Key]struct{} // guarded by mu; deleted by the user in this connection
}

// name returns the name of the ContainerNamespace, and creates it if it does not
// exist: the engine that creates the object owns the name. It is empty for no
// namespace.
func (n *namespaces) name(ctx context.Context, namespace string) (string, error) {
	if namespace == "" {
		return "", nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.names[namespace]; ok {
		return name, nil
	}
	name, err := n.claim(ctx, namespace)
	if err != nil {
		return "", err
	}
	if n.names == nil {
		n.names = map[string]string{}
	}
	n.names[namespace] = name
	return name, nil
}

// of returns the engine's namespace of a ContainerNamespace.
func (n *namespaces) of(name string) (namespace string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for namespace, known := range n.names {
		if known == name {
			return namespace, true
		}
	}
	return "", false
}

func (n *namespaces) claim(ctx context.Context, namespace string) (string, error) {
	s := n.syncer
	key := engine.Key{Kind: engine.KindNamespace, ID: namespace}
	if have := s.table.of(key); len(have) > 0 {
		return have[0].GetName(), nil
	}
	object := engine.Object{Key: key, Namespace: &containersv1alpha1.ContainerNamespaceStatus{Name: namespace}}
	var failures []error
	plain := s.owner.namespaceName(namespace)
	for _, name := range []string{plain, plain + "." + s.owner.name} {
		err := s.create(ctx, s.owner.mirrors(object, name)[0])
		if err == nil {
			return name, nil
		}
		failures = append(failures, err)
		if !errors.Is(err, errForeign) {
			break
		}
	}
	return "", errors.Join(failures...)
}

// release records that the user deleted a ContainerNamespace. It is not created again
// before the next connection.
func (n *namespaces) release(key engine.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.released == nil {
		n.released = map[engine.Key]struct{}{}
	}
	n.released[key] = struct{}{}
}

// releaseNamespace implements [mirrors].
func (s *syncer) releaseNamespace(ctx context.Context, key engine.Key, have client.Object) error {
	s.namespaces.release(key)
	return s.writer.remove(ctx, have)
}

func (n *namespaces) isReleased(key engine.Key) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.released[key]
	return ok
}

// forget records that the engine no longer has a namespace.
func (n *namespaces) forget(namespace string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.names, namespace)
}

// reset begins a new connection.
func (n *namespaces) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.released)
	clear(n.names)
}
