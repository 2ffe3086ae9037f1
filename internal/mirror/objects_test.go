// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

var testOwner = newOwner(&containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "moby", UID: "uid"}})

func TestOwnership(t *testing.T) {
	mine := func() *containersv1alpha1.Volume {
		return &containersv1alpha1.Volume{ObjectMeta: testOwner.meta("v", engine.Key{Kind: engine.KindVolume, ID: "v"})}
	}
	for name, test := range map[string]struct {
		change func(*containersv1alpha1.Volume)
		want   bool
	}{
		"ours":                {func(*containersv1alpha1.Volume) {}, true},
		"no label":            {func(v *containersv1alpha1.Volume) { v.Labels = nil }, false},
		"another label":       {func(v *containersv1alpha1.Volume) { v.Labels[containersv1alpha1.EngineLabel] = "other" }, false},
		"no owner":            {func(v *containersv1alpha1.Volume) { v.OwnerReferences = nil }, false},
		"another owner's UID": {func(v *containersv1alpha1.Volume) { v.OwnerReferences[0].UID = "before" }, false},
		"another namespace":   {func(v *containersv1alpha1.Volume) { v.Namespace = "elsewhere" }, false},
		"one owner more": {func(v *containersv1alpha1.Volume) {
			v.OwnerReferences = append(v.OwnerReferences, metav1.OwnerReference{UID: "second"})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := mine()
			test.change(v)
			if got := testOwner.owns(v); got != test.want {
				t.Errorf("owns = %v, want %v", got, test.want)
			}
		})
	}
}

func TestMirrorNames(t *testing.T) {
	odd := strings.Repeat("Ä_/:", 80)
	for _, object := range []engine.Object{
		{Key: engine.Key{Kind: engine.KindContainer, ID: strings.Repeat("0a", 32)}, Container: &containersv1alpha1.ContainerStatus{}},
		{Key: engine.Key{Kind: engine.KindContainer, ID: odd}, Container: &containersv1alpha1.ContainerStatus{}},
		{Key: engine.Key{Kind: engine.KindVolume, ID: odd}, Volume: &containersv1alpha1.VolumeStatus{}},
		{Key: engine.Key{Kind: engine.KindImage, ID: "sha256:00"}, Images: []containersv1alpha1.ImageStatus{{RepoTag: "a:1"}, {RepoTag: "b:1"}}},
		{Key: engine.Key{Kind: engine.KindContainer, Namespace: "k8s.io", ID: "UPPER_case"}, Container: &containersv1alpha1.ContainerStatus{}},
		{Key: engine.Key{Kind: engine.KindImage, Namespace: "k8s.io", ID: "sha256:00"}, Images: []containersv1alpha1.ImageStatus{{RepoTag: "a:1"}, {}}},
		{Key: engine.Key{Kind: engine.KindNamespace, ID: "moby"}, Namespace: &containersv1alpha1.ContainerNamespaceStatus{}},
	} {
		names := map[string]bool{}
		for _, m := range testOwner.mirrors(object, "moby") {
			if problems := validation.IsDNS1123Subdomain(m.GetName()); len(problems) > 0 {
				t.Errorf("%v: name %q: %v", object.Key, m.GetName(), problems)
			}
			if got := keyOf(m); got != object.Key {
				t.Errorf("%v became %v", object.Key, got)
			}
			if !testOwner.owns(m) {
				t.Errorf("%v is not its owner's", object.Key)
			}
			names[m.GetName()] = true
		}
		if len(names) != max(1, len(object.Images)) {
			t.Errorf("%v: names %v", object.Key, names)
		}
	}
	if got := testOwner.containerName(engine.Key{Kind: engine.KindContainer, ID: "0123"}); got != "0123" {
		t.Errorf("a container's ID is not its name: %q", got)
	}
}

func TestWithStatus(t *testing.T) {
	began := time.Unix(1000, 0)
	later := began.Add(time.Hour)
	running := func(value metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{{Type: containersv1alpha1.ConditionRunning, Status: value, Reason: "Test"}}
	}
	empty := &containersv1alpha1.Container{}
	want := &containersv1alpha1.Container{Status: containersv1alpha1.ContainerStatus{Name: "a", Conditions: running(metav1.ConditionTrue)}}

	first := withStatus(empty, want, began).(*containersv1alpha1.Container)
	if got := first.Status.Conditions[0].LastTransitionTime; !got.Time.Equal(began) {
		t.Errorf("transition at %v, want %v", got, began)
	}
	if again := withStatus(first, want, later); again != nil {
		t.Errorf("nothing changed and %+v is to be written", again)
	}

	first.Status.LastAction = &containersv1alpha1.LastAction{Action: containersv1alpha1.ActionStop}
	apimeta.SetStatusCondition(&first.Status.Conditions, metav1.Condition{Type: containersv1alpha1.ConditionDeleting, Status: metav1.ConditionFalse})
	want.Status.Conditions = running(metav1.ConditionFalse)
	second := withStatus(first, want, later).(*containersv1alpha1.Container)
	if second.Status.LastAction == nil {
		t.Error("the last action was lost")
	}
	if apimeta.FindStatusCondition(second.Status.Conditions, containersv1alpha1.ConditionDeleting) == nil {
		t.Error("the refusal of a deletion was lost")
	}
	if got := second.Status.Conditions[0].LastTransitionTime; !got.Time.Equal(later) {
		t.Errorf("transition at %v, want %v", got, later)
	}
	if len(first.Status.Conditions) != 2 || first.Status.Conditions[0].Status != metav1.ConditionTrue {
		t.Error("the known object was changed")
	}
}

// TestWithStatusSharesNothing: a client decodes the API server's answer into the
// object that it was given, over the arrays and maps that this has, while an engine
// may answer others with the same ones.
func TestWithStatusSharesNothing(t *testing.T) {
	labels := func() map[string]string { return map[string]string{"a": "before"} }
	for name, test := range map[string]struct{ have, want client.Object }{
		"container": {&containersv1alpha1.Container{}, &containersv1alpha1.Container{Status: containersv1alpha1.ContainerStatus{
			Labels: labels(), Args: []string{"before"}, CreatedAt: &metav1.Time{Time: time.Unix(1000, 0)},
			Mounts: []containersv1alpha1.Mount{{Source: "before"}},
		}}},
		"image": {&containersv1alpha1.Image{}, &containersv1alpha1.Image{Status: containersv1alpha1.ImageStatus{
			Labels: labels(), RepoDigests: []string{"before"},
		}}},
		"volume":    {&containersv1alpha1.Volume{}, &containersv1alpha1.Volume{Status: containersv1alpha1.VolumeStatus{Labels: labels()}}},
		"namespace": {&containersv1alpha1.ContainerNamespace{}, &containersv1alpha1.ContainerNamespace{Status: containersv1alpha1.ContainerNamespaceStatus{Labels: labels()}}},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.want.DeepCopyObject()
			written := withStatus(test.have, test.want, time.Now())
			answer, err := json.Marshal(written)
			if err != nil {
				t.Fatal(err)
			}
			answer = bytes.ReplaceAll(answer, []byte("before"), []byte("after"))
			answer = bytes.ReplaceAll(answer, []byte("1970"), []byte("1980"))
			if err := json.Unmarshal(answer, written); err != nil {
				t.Fatal(err)
			}
			if !apiequality.Semantic.DeepEqual(test.want, before) {
				t.Errorf("an answer that was decoded changed what the engine said:\n%s", cmp.Diff(before, test.want))
			}
		})
	}
}
