// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"maps"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// labelsAre waits until an object has exactly these labels beside the owner's.
func (d *driver) labelsAre(object ctrlclient.Object, want map[string]string) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("%s has the labels %v", object.GetName(), want), func() (bool, string) {
		if err := d.kube.Get(d.t.Context(), ctrlclient.ObjectKeyFromObject(object), object); err != nil {
			return false, err.Error()
		}
		labels := maps.Clone(object.GetLabels())
		if labels[containersv1alpha1.EngineLabel] != "moby" {
			return false, fmt.Sprint(labels)
		}
		delete(labels, containersv1alpha1.EngineLabel)
		delete(labels, "io.containerd.image.config.stop-signal") // containerd's own, in some versions
		return maps.Equal(labels, want), fmt.Sprint(labels)
	})
}

func (d *driver) setLabels(object ctrlclient.Object, labels string) {
	d.t.Helper()
	d.must(d.kube.Patch(d.t.Context(), object, ctrlclient.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":`+labels+`}}`))))
}

// suiteMirroredLabels: the labels of an engine object that Kubernetes accepts are
// those of its mirror, too; a user's own stay, and win, over all restarts.
func suiteMirroredLabels(d *driver) {
	const project = "com.docker.compose.project"
	all := map[string]string{
		project: "shop", "tier": "web", "example.com/part": "a_b.c",
		"UPPER/case key": "x", "value": "has spaces", "long": strings.Repeat("x", 64), "ünïcode": "x",
		"app.kubernetes.io/name": "x", "k8s.io/x": "x", "rancherdesktop.io/keep": "x", containersv1alpha1.EngineLabel: "other",
	}
	accepted := map[string]string{project: "shop", "tier": "web", "example.com/part": "a_b.c"}
	if d.has.api { // containerd keeps no label without a value
		all["empty"], accepted["empty"] = "", ""
	}
	id := d.run("labelled", container.Config{Labels: all}, container.HostConfig{})
	other := d.createContainer("other", container.Config{Labels: map[string]string{project: "bank"}}, container.HostConfig{})
	m := d.container(id)
	d.labelsAre(m, accepted)
	for key, value := range all {
		if m.Status.Labels[key] != value {
			d.t.Errorf("status.labels[%q] = %q, want %q", key, m.Status.Labels[key], value)
		}
	}
	var found containersv1alpha1.ContainerList
	d.list(&found, ctrlclient.MatchingLabels{project: "shop"})
	if len(found.Items) != 1 || found.Items[0].Name != id {
		d.t.Errorf("%d containers have the label", len(found.Items))
	}

	d.setLabels(m, `{"mine":"kept","tier":"user","example.com/part":null}`)
	want := maps.Clone(accepted)
	want["tier"], want["mine"] = "user", "kept"
	d.labelsAre(m, want)
	ce := d.getEngine("moby")
	d.engine.Restart(func() { d.waitReason(ce, "Disconnected") })
	d.waitReason(ce, "Connected")
	d.equal("moby")
	d.labelsAre(m, want)
	d.restartManager()
	d.waitReason(ce, "Connected")
	d.equal("moby")
	d.labelsAre(m, want)

	d.setLabels(m, `{"mine":null,"tier":null}`)
	d.labelsAre(m, accepted)
	d.removeContainer(id)
	d.removeContainer(other)
	if d.has.api {
		replacedVolume(d)
	}
}

// replacedVolume makes a volume again with other labels while no controller runs:
// its mirror has the new ones, and the user's.
func replacedVolume(d *driver) {
	d.t.Helper()
	create := func(labels map[string]string) {
		d.t.Helper()
		_, err := d.docker.VolumeCreate(d.t.Context(), client.VolumeCreateOptions{Name: "labelled", Labels: labels})
		d.must(err)
	}
	create(map[string]string{"goes": "x", "changes": "before", "users": "engine"})
	d.equal("moby")
	m := d.volume("labelled")
	d.setLabels(m, `{"mine":"kept","users":"user"}`)
	d.labelsAre(m, map[string]string{"goes": "x", "changes": "before", "users": "user", "mine": "kept"})

	d.stopManager()
	_, err := d.docker.VolumeRemove(d.t.Context(), "labelled", client.VolumeRemoveOptions{})
	d.must(err)
	create(map[string]string{"changes": "after", "users": "engine again", "comes": "x", "mine": "engine"})
	d.startManager()
	d.equal("moby")
	d.labelsAre(m, map[string]string{"changes": "after", "users": "user", "comes": "x", "mine": "kept"})
	d.setLabels(m, `{"mine":null}`)
	d.labelsAre(m, map[string]string{"changes": "after", "users": "user", "comes": "x", "mine": "engine"})
	_, err = d.docker.VolumeRemove(d.t.Context(), "labelled", client.VolumeRemoveOptions{})
	d.must(err)
	d.equal("moby")
}
