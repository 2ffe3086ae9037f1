// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	purgePage    = 500
	purgeWorkers = 4
)

// purge removes every mirror of an owner without a call to the engine. It reads the
// API server and no cache: when it returns nil, there are no mirrors.
func purge(ctx context.Context, c client.Client, reader client.Reader, o owner) error {
	var failures []error
	for _, types := range kinds {
		list := types.list()
		for {
			err := reader.List(ctx, list, client.InNamespace(o.namespace), client.Limit(purgePage),
				client.Continue(list.GetContinue()), client.MatchingLabels{containersv1alpha1.EngineLabel: o.name})
			if err != nil {
				failures = append(failures, err)
				break
			}
			failures = append(failures, purgeList(ctx, c, o, list))
			if list.GetContinue() == "" {
				break
			}
		}
	}
	return errors.Join(failures...)
}

// orphaned reports whether an object is a mirror that lost its owner reference, when
// the owner was deleted with the propagation policy Orphan. Mirrors are removed
// nevertheless: no controller would update them. The annotation distinguishes them
// from objects of other clients.
func (o owner) orphaned(obj client.Object) bool {
	return len(obj.GetOwnerReferences()) == 0 && controllerutil.ContainsFinalizer(obj, containersv1alpha1.MirrorFinalizer) &&
		obj.GetAnnotations()[containersv1alpha1.OwnerAnnotation] == string(o.reference.UID)
}

func purgeList(ctx context.Context, c client.Client, o owner, list client.ObjectList) error {
	objects, err := apimeta.ExtractList(list)
	if err != nil {
		return err
	}
	var group errgroup.Group // one failure does not stop the others
	group.SetLimit(purgeWorkers)
	for _, object := range objects {
		if m, ok := object.(client.Object); ok && (o.owns(m) || o.orphaned(m)) {
			group.Go(func() error { return release(ctx, c, m) })
		}
	}
	return group.Wait()
}
