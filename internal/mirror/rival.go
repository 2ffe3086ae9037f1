// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"os"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// rival returns the name of an older ContainerEngine in the namespace with the
// same endpoint.
func (r *reconciler) rival(ctx context.Context, e *containersv1alpha1.ContainerEngine) (string, error) {
	if !e.ShouldRun() {
		return "", nil
	}
	var all containersv1alpha1.ContainerEngineList
	if err := r.client.List(ctx, &all, client.InNamespace(e.Namespace)); err != nil {
		return "", err
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != e.UID && other.ShouldRun() && older(other, e) && sameEndpoint(other.Spec.Endpoint, e.Spec.Endpoint) {
			return other.Name, nil
		}
	}
	return "", nil
}

// older reports whether a comes before b. Creation timestamps are whole seconds: of two
// ContainerEngines of one second, the one that has the engine keeps it.
func older(a, b *containersv1alpha1.ContainerEngine) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	if hasEngine(a) != hasEngine(b) {
		return hasEngine(a)
	}
	return a.UID < b.UID
}

// hasEngine reports whether this controller connects, or is connected, to the engine.
func hasEngine(e *containersv1alpha1.ContainerEngine) bool {
	ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
	return ready != nil && ready.Reason != containersv1alpha1.ReasonConflict && ready.Reason != containersv1alpha1.ReasonStopped
}

// sameEndpoint reports whether two endpoints are known to be the same: a socket may
// have two paths, since /var/run is a link to /run.
func sameEndpoint(a, b string) bool {
	if a == b {
		return true
	}
	pathA, pathB := endpoint.SocketPath(a), endpoint.SocketPath(b)
	if pathA == "" || pathB == "" {
		return false
	}
	socketA, err := os.Stat(pathA)
	if err != nil {
		return false
	}
	socketB, err := os.Stat(pathB)
	return err == nil && os.SameFile(socketA, socketB)
}

// yield leaves the engine to another ContainerEngine, and removes existing mirrors:
// they would be stale, and have the names of the other's mirrors.
func (r *reconciler) yield(ctx context.Context, e *containersv1alpha1.ContainerEngine, rival string) error {
	report(e, e.Generation, State{
		Reason:  containersv1alpha1.ReasonConflict,
		Message: fmt.Sprintf("ContainerEngine %s of this namespace already mirrors %s", rival, e.Spec.Endpoint),
	})
	done, err := r.purged(ctx, e)
	if done {
		r.end(e)
	}
	return err
}
