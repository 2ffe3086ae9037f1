// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// suiteEdits: what makes a mirror a mirror comes back when a client takes it
// away, and its deletion reaches the engine.
func suiteEdits(d *driver) {
	other := d.createContainer("other", container.Config{}, container.HostConfig{})
	for _, patch := range []string{
		`{"metadata":{"finalizers":null}}`,
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, containersv1alpha1.OwnerAnnotation),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, containersv1alpha1.IDAnnotation, other),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, containersv1alpha1.IDAnnotation),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:"none"}}}`, containersv1alpha1.NamespaceAnnotation),
		`{"metadata":{"annotations":null,"finalizers":null}}`,
	} {
		id := d.createContainer("edited", container.Config{}, container.HostConfig{})
		before := d.container(id)
		d.ask(id, patch)
		d.eventually("the mirror is whole after "+patch, func() (bool, string) {
			m := &containersv1alpha1.Container{}
			if err := d.kube.Get(d.t.Context(), ctrlclient.ObjectKeyFromObject(before), m); err != nil {
				return false, err.Error() // it may be made again
			}
			whole := controllerutil.ContainsFinalizer(m, containersv1alpha1.MirrorFinalizer)
			for _, name := range []string{containersv1alpha1.IDAnnotation, containersv1alpha1.NamespaceAnnotation, containersv1alpha1.OwnerAnnotation} {
				whole = whole && m.Annotations[name] == before.Annotations[name]
			}
			return whole, fmt.Sprint(m.Finalizers, m.Annotations)
		})
		d.equal("moby")
		d.deleted(d.container(id))
	}
	d.removeContainer(other)
}

// suiteApply: a desired state that was applied is withdrawn by another apply without it,
// and nothing is done then.
func suiteApply(d *driver) {
	id := d.run("applied", container.Config{}, container.HostConfig{})
	apply := func(spec string) *containersv1alpha1.Container {
		d.t.Helper()
		m := &containersv1alpha1.Container{}
		m.Name, m.Namespace = id, namespace
		d.must(d.kube.Patch(d.t.Context(), m, ctrlclient.RawPatch(types.ApplyPatchType, fmt.Appendf(nil,
			`{"apiVersion":%q,"kind":"Container","metadata":{"name":%q,"namespace":%q}%s}`,
			containersv1alpha1.GroupVersion, id, namespace, spec)), ctrlclient.FieldOwner("other")))
		return m
	}
	for _, none := range []string{`,"spec":{}`, ``} {
		apply(`,"spec":{"state":"paused"}`)
		d.becomes(id, containersv1alpha1.PhasePaused)
		if m := apply(none); m.Spec.State != "" {
			d.t.Errorf("spec.state is %q after an apply without it", m.Spec.State)
		}
		d.step(func(ctx context.Context) error { return d.hands.Unpause(ctx, id) })
	}
	d.removeContainer(id)
}
