// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
)

func gateMeta(name, id, namespace string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Name: name, ResourceVersion: "1", Annotations: map[string]string{containersv1alpha1.IDAnnotation: id}}
	if namespace != "" {
		m.Annotations[containersv1alpha1.NamespaceAnnotation] = namespace
	}
	return m
}

func gateImage(name, id, namespace, tag string, digests ...string) *containersv1alpha1.Image {
	return &containersv1alpha1.Image{ObjectMeta: gateMeta(name, id, namespace),
		Status: containersv1alpha1.ImageStatus{ID: id, RepoTag: tag, RepoDigests: digests}}
}

func gateVolume(id string) *containersv1alpha1.Volume {
	return &containersv1alpha1.Volume{ObjectMeta: gateMeta("vol-"+id, id, "")}
}

// TestInUse: what an engine would not remove.
func TestInUse(t *testing.T) {
	user := &containersv1alpha1.Container{ObjectMeta: gateMeta("c", "c", ""), Status: containersv1alpha1.ContainerStatus{
		Name: "web", Image: "used", Mounts: []containersv1alpha1.Mount{{Type: "volume", Name: "data", Destination: "/a"},
			{Type: "volume", Name: "data", Destination: "/b"}, {Type: "bind", Source: "/src", Destination: "/c"}}}}
	more := &containersv1alpha1.Container{ObjectMeta: gateMeta("d", "d", ""), Status: containersv1alpha1.ContainerStatus{Image: "untagged"}}
	elsewhere := &containersv1alpha1.Container{ObjectMeta: gateMeta("ctr-1", "e", "default"), Status: containersv1alpha1.ContainerStatus{Image: "far"}}
	last := gateImage("img-1", "used", "", "localhost:5000/used:1", "localhost:5000/used@sha256:1")
	leaving := gateImage("img-2", "used", "", "used:2")
	leaving.DeletionTimestamp = &metav1.Time{}
	other := gateImage("img-3", "used", "", "used:3")
	for name, test := range map[string]struct {
		objects []client.Object
		deleted client.Object
		want    bool
	}{
		"a volume":                          {[]client.Object{user}, gateVolume("data"), true},
		"a volume of none":                  {[]client.Object{user}, gateVolume("spare"), false},
		"the last tag":                      {[]client.Object{user, last}, last, true},
		"the last but one that is leaving":  {[]client.Object{user, last, leaving}, last, true},
		"one of two tags":                   {[]client.Object{user, last, other}, last, false},
		"a tag with digests of another":     {[]client.Object{user}, gateImage("img-1", "used", "", "used:1", "used@sha256:1", "copy@sha256:1"), false},
		"an image without a tag":            {[]client.Object{more}, gateImage("img-4", "untagged", "", ""), true},
		"an image without users":            {[]client.Object{more}, last, false},
		"an image of another namespace":     {[]client.Object{elsewhere}, gateImage("img-5", "far", "second", "far:1"), false},
		"a namespace with a container":      {[]client.Object{elsewhere}, &containersv1alpha1.ContainerNamespace{ObjectMeta: gateMeta("ns", "default", "")}, true},
		"a namespace with an image":         {[]client.Object{gateImage("i", "i", "k8s.io", "i:1")}, &containersv1alpha1.ContainerNamespace{ObjectMeta: gateMeta("n", "k8s.io", "")}, true},
		"an empty namespace":                {[]client.Object{elsewhere, user}, &containersv1alpha1.ContainerNamespace{ObjectMeta: gateMeta("n", "k8s.io", "")}, false},
		"what a container used and has not": {nil, gateVolume("data"), false},
	} {
		t.Run(name, func(t *testing.T) {
			known := newTable()
			known.watched(user)
			known.removed(user) // leaves no trace
			for _, object := range test.objects {
				again := object.DeepCopyObject().(client.Object)
				again.SetUID("again")
				known.watched(again)
			}
			if got := known.inUse(test.deleted); got != test.want {
				t.Errorf("in use: %t, want %t", got, test.want)
			}
			if test.objects == nil && len(known.uses) != 0 {
				t.Errorf("left in the index: %v", known.uses)
			}
		})
	}
}

// TestWhoRefuses: an engine's own remove is the measure.
func TestWhoRefuses(t *testing.T) {
	for _, test := range []struct {
		engine containersv1alpha1.EngineType
		kind   engine.Kind
		want   bool
	}{
		{containersv1alpha1.EngineMoby, engine.KindVolume, true},
		{containersv1alpha1.EngineMoby, engine.KindImage, true},
		{containersv1alpha1.EngineMoby, engine.KindNetwork, true},
		{containersv1alpha1.EngineMoby, engine.KindNamespace, false},
		{containersv1alpha1.EngineSimulated, engine.KindVolume, true},
		{containersv1alpha1.EngineSimulated, engine.KindNetwork, true},
		{containersv1alpha1.EngineContainerd, engine.KindImage, false},
		{containersv1alpha1.EngineContainerd, engine.KindNamespace, true},
	} {
		if got := slices.Contains(open.Drivers().Of(test.engine).KeepsUsed, test.kind); got != test.want {
			t.Errorf("%s refuses to remove a %s in use: %t, want %t", test.engine, test.kind, got, test.want)
		}
	}
}

// TestRefusalText names the users, and is fit for a terminal.
func TestRefusalText(t *testing.T) {
	var users []client.Object
	for _, name := range []string{"web", "d\x1b[31mb"} {
		c := &containersv1alpha1.Container{Status: containersv1alpha1.ContainerStatus{Name: name}}
		users = append(users, c)
	}
	users[0].SetDeletionTimestamp(&metav1.Time{})
	text := refusalText(gateVolume("data"), "volume data", users, 3)
	for _, words := range []string{"volume data is used by containers web (being removed), d", " and 3 more: remove them first", containersv1alpha1.ForceAnnotation + "=true"} {
		if !strings.Contains(text, words) {
			t.Errorf("%q lacks %q", text, words)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
	one := refusalText(gateVolume("data"), "volume data", users[1:], 0)
	if !strings.Contains(one, ": remove that container first, or annotate the volume with ") {
		t.Errorf("one user: %q", one)
	}
}
