// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// suiteApply: a wish that was applied is withdrawn by another apply without it,
// and nothing is done then.
func suiteApply(d *driver) {
	id := d.run("applied", container.Config{}, container.HostConfig{})
	apply := func(spec string) *containersv1alpha1.Container {
		d.t.Helper()
		m := &containersv1alpha1.Container{}
		m.Name, m.Namespace = id, namespace
		d.must(d.kube.Patch(d.t.Context(), m, ctrlclient.RawPatch(types.ApplyPatchType, fmt.Appendf(nil,
			`{"apiVersion":%q,"kind":"Container","metadata":{"name":%q,"namespace":%q}%s}`,
			containersv1alpha1.GroupVersion, id, namespace, spec)), ctrlclient.FieldOwner("somebody")))
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
