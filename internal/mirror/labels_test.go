// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestMirrorable: which labels of an engine object its mirror has.
func TestMirrorable(t *testing.T) {
	long := strings.Repeat("x", 63)
	for _, test := range []struct {
		key, value string
		want       bool
	}{
		{"com.docker.compose.project", "shop", true},
		{"a", "", true},
		{"A_b.c-d", "A_b.c-d", true},
		{"example.com/name", "x", true},
		{strings.Repeat("a.", 126) + "a/" + long, long, true},
		{"mykubernetes.io/name", "x", true},
		{"rancherdesktop.io", "x", true}, // a name, not a prefix
		{"io.kubernetes.pod.name", "x", true},

		{"", "x", false},
		{"/a", "x", false},
		{"a/", "x", false},
		{"a/b/c", "x", false},
		{"UPPER.example.com/a", "x", false},
		{"with space", "x", false},
		{"ünïcode", "x", false},
		{"-a", "x", false},
		{"a\n", "x", false},
		{long + "x", "x", false},
		{strings.Repeat("a.", 127) + "/a", "x", false},
		{"a", "has space", false},
		{"a", "/path", false},
		{"a", "x\n", false},
		{"a", "x-", false},
		{"a", long + "x", false},
		{"a", strings.Repeat("x", 4<<20), false},
		{strings.Repeat("x", 4<<20), "x", false},

		{"kubernetes.io/name", "x", false},
		{"app.kubernetes.io/name", "x", false},
		{"k8s.io/name", "x", false},
		{"x.k8s.io/name", "x", false},
		{"rancherdesktop.io/keep", "x", false},
		{"containers.rancherdesktop.io/engine", "other", false},
		{"a.b.rancherdesktop.io/x", "x", false},
	} {
		if got := mirrorable(test.key, test.value); got != test.want {
			t.Errorf("mirrorable(%.80q, %.80q) = %t, want %t", test.key, test.value, got, test.want)
		}
	}
}

// TestManyLabels: a mirror has the first 64 in sort order, and says how many it has not.
func TestManyLabels(t *testing.T) {
	labels := map[string]string{"not a key": "x"}
	for i := range 67 {
		labels[fmt.Sprintf("l%02d", i)] = "x"
	}
	key := engine.Key{Kind: engine.KindNetwork, ID: "n"}
	m := testOwner.mirrors(engine.Object{Key: key, Network: &containersv1alpha1.NetworkStatus{ID: "n", Labels: labels}}, "")[0].(*containersv1alpha1.Network)
	if len(m.Labels) != 65 || m.Labels["l63"] != "x" || m.Labels["l64"] != "" || len(m.Status.Labels) != len(labels) {
		t.Errorf("%d labels, %d in the status: %v", len(m.Labels), len(m.Status.Labels), m.Labels)
	}
	truncated := apimeta.FindStatusCondition(m.Status.Conditions, containersv1alpha1.ConditionTruncated)
	if truncated == nil || !strings.Contains(truncated.Message, "metadata.labels (left out: 3 of 67)") {
		t.Errorf("Truncated is %+v", truncated)
	}
	delete(labels, "l66")
	delete(labels, "l65")
	delete(labels, "l64")
	m = testOwner.mirrors(engine.Object{Key: key, Network: &containersv1alpha1.NetworkStatus{ID: "n", Labels: labels}}, "")[0].(*containersv1alpha1.Network)
	if len(m.Labels) != 65 || len(m.Status.Conditions) != 0 {
		t.Errorf("%d labels, conditions %+v", len(m.Labels), m.Status.Conditions)
	}
}

// TestEveryKindHasLabels: the labels of each kind of engine object are mirrored.
func TestEveryKindHasLabels(t *testing.T) {
	labels := map[string]string{"a": "b", "not a key": "x"}
	for kind, object := range map[engine.Kind]engine.Object{
		engine.KindContainer: {Container: &containersv1alpha1.ContainerStatus{Labels: labels}},
		engine.KindImage:     {Images: []containersv1alpha1.ImageStatus{{Labels: labels}}},
		engine.KindVolume:    {Volume: &containersv1alpha1.VolumeStatus{Labels: labels}},
		engine.KindNetwork:   {Network: &containersv1alpha1.NetworkStatus{Labels: labels}},
		engine.KindNamespace: {Namespace: &containersv1alpha1.ContainerNamespaceStatus{Labels: labels}},
	} {
		object.Key = engine.Key{Kind: kind, ID: "x"}
		m := testOwner.mirrors(object, "ns")[0]
		want := map[string]string{"a": "b", containersv1alpha1.EngineLabel: testOwner.name}
		if !maps.Equal(m.GetLabels(), want) || m.GetAnnotations()[containersv1alpha1.LabelsAnnotation] != `{"a":"b"}` {
			t.Errorf("a %s has the labels %v, recorded %v", kind, m.GetLabels(), m.GetAnnotations())
		}
		if isMislabeled(m) {
			t.Errorf("a new %s is mislabeled", kind)
		}
	}
}

// TestRelabel: the engine's labels follow the engine, and the user's stay.
func TestRelabel(t *testing.T) {
	type labels = map[string]string
	const lost = "lost"
	for name, test := range map[string]struct {
		have     labels
		record   string
		mirrored labels
		want     labels
		recorded string
	}{
		"new":                              {nil, "", labels{"a": "1"}, labels{"a": "1"}, `{"a":"1"}`},
		"nothing":                          {nil, "", nil, nil, ""},
		"same":                             {labels{"a": "1"}, `{"a":"1"}`, labels{"a": "1"}, labels{"a": "1"}, `{"a":"1"}`},
		"changed":                          {labels{"a": "1"}, `{"a":"1"}`, labels{"a": "2"}, labels{"a": "2"}, `{"a":"2"}`},
		"gone":                             {labels{"a": "1", "b": "1"}, `{"a":"1","b":"1"}`, labels{"b": "1"}, labels{"b": "1"}, `{"b":"1"}`},
		"all gone":                         {labels{"a": "1"}, `{"a":"1"}`, nil, nil, ""},
		"a user's":                         {labels{"u": "x"}, "", nil, labels{"u": "x"}, ""},
		"a user's beside":                  {labels{"u": "x", "a": "1"}, `{"a":"1"}`, labels{"a": "2"}, labels{"u": "x", "a": "2"}, `{"a":"2"}`},
		"a user's wins":                    {labels{"a": "user"}, `{"b":"1"}`, labels{"a": "1", "b": "1"}, labels{"a": "user", "b": "1"}, `{"b":"1"}`},
		"a user changed one":               {labels{"a": "user"}, `{"a":"1"}`, labels{"a": "1"}, labels{"a": "user"}, ""},
		"changed by both":                  {labels{"a": "user"}, `{"a":"1"}`, labels{"a": "2"}, labels{"a": "user"}, ""},
		"changed by a user, gone there":    {labels{"a": "user"}, `{"a":"1"}`, nil, labels{"a": "user"}, ""},
		"a user removed one":               {nil, `{"a":"1"}`, labels{"a": "1"}, labels{"a": "1"}, `{"a":"1"}`},
		"a user's equal one, before":       {labels{"a": "1", "b": "1"}, `{"b":"1"}`, labels{"a": "1", "b": "1"}, labels{"a": "1", "b": "1"}, `{"b":"1"}`},
		"a user's equal one, gone there":   {labels{"a": "1", "b": "1"}, `{"b":"1"}`, labels{"b": "1"}, labels{"a": "1", "b": "1"}, `{"b":"1"}`},
		"the record is lost":               {labels{"a": "1", "b": "user"}, "", labels{"a": "1", "b": "1"}, labels{"a": "1", "b": "user"}, `{"a":"1"}`},
		"the record can't be read":         {labels{"a": "1"}, lost, labels{"a": "1"}, labels{"a": "1"}, `{"a":"1"}`},
		"the record is lost, and one gone": {labels{"a": "1", "b": "1"}, "", labels{"a": "1"}, labels{"a": "1", "b": "1"}, `{"a":"1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			have := &containersv1alpha1.Volume{ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(test.have)}}
			if test.record != "" {
				have.Annotations = map[string]string{containersv1alpha1.LabelsAnnotation: test.record}
			}
			got, record, changed := relabel(have, test.mirrored)
			if !maps.Equal(got, test.want) || record != test.recorded {
				t.Errorf("labels %v, recorded %s; want %v and %s", got, record, test.want, test.recorded)
			}
			if want := !maps.Equal(test.have, test.want) || test.record != test.recorded; changed != want {
				t.Errorf("changed: %t, want %t", changed, want)
			}
			if !maps.Equal(have.Labels, test.have) {
				t.Errorf("the mirror itself was changed: %v", have.Labels)
			}
			setLabels(have, got, record)
			if _, _, changed = relabel(have, test.mirrored); changed {
				t.Error("it is not settled after one change")
			}
		})
	}
}

// TestKeepLabels: a mirror that replaces one whose deletion was refused has the
// user's labels.
func TestKeepLabels(t *testing.T) {
	object := engine.Object{Key: engine.Key{Kind: engine.KindVolume, ID: "v"}, Volume: &containersv1alpha1.VolumeStatus{Labels: map[string]string{"a": "2", "b": "1"}}}
	want := testOwner.mirrors(object, "")[0]
	have := want.DeepCopyObject().(*containersv1alpha1.Volume)
	setLabels(have, map[string]string{containersv1alpha1.EngineLabel: testOwner.name, "a": "user", "b": "1", "gone": "1", "mine": "x"}, `{"a":"1","b":"1","gone":"1"}`)
	replacement := keepLabels(have, want)
	if got, want := replacement.GetLabels(), map[string]string{containersv1alpha1.EngineLabel: testOwner.name, "a": "user", "b": "1", "mine": "x"}; !maps.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
	if record := replacement.GetAnnotations()[containersv1alpha1.LabelsAnnotation]; record != `{"b":"1"}` {
		t.Errorf("recorded: %s", record)
	}
	if want.GetLabels()["mine"] != "" {
		t.Error("what is wanted was changed")
	}
}
