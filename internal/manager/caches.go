// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
)

// endingCache is a cache whose first sync does not block the end of the manager.
// controller-runtime's manager would wait forever.
type endingCache struct {
	ctrlcache.Cache
	ending context.Context
}

// WaitForCacheSync implements [ctrlcache.Informers]. It returns true in a manager that
// is stopping, whose controllers then stop by themselves.
func (c endingCache) WaitForCacheSync(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ending, cancel)()
	return c.Cache.WaitForCacheSync(ctx) || c.ending.Err() != nil
}

// WaitSynced returns when the caches of every kind are synced, and every controller
// runs here or is known to run in another process. Call Run first.
func (m *Manager) WaitSynced(ctx context.Context) error {
	var synced []cache.DoneChecker
	definitions, err := manifest.ParseDefinitions(Definitions(m.Controllers))
	if err != nil {
		return err
	}
	for _, definition := range definitions {
		for _, version := range definition.Spec.Versions {
			kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}
			informer, err := m.inner.GetCache().GetInformerForKind(ctx, kind, ctrlcache.BlockUntilSynced(false))
			if err != nil {
				return fmt.Errorf("fill the cache of %s: %w", kind.Kind, err)
			}
			synced = append(synced, informer.HasSyncedChecker())
		}
	}
	if !cache.WaitFor(ctx, "", synced...) {
		return fmt.Errorf("fill the caches: %w", context.Cause(ctx))
	}
	for _, u := range m.units {
		select {
		case <-ctx.Done():
			return fmt.Errorf("start the controller %s: %w", u.Name, context.Cause(ctx))
		case <-u.settled:
		}
	}
	return nil
}
