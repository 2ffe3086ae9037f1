// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func testContainer(version int, uid, name string) *containersv1alpha1.Container {
	return &containersv1alpha1.Container{
		ObjectMeta: metav1.ObjectMeta{Name: "c1", UID: types.UID(uid), ResourceVersion: fmt.Sprint(version)},
		Status:     containersv1alpha1.ContainerStatus{Name: name},
	}
}

func testImage(version int, id, tag string) *containersv1alpha1.Image {
	return &containersv1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{
			Name:            containersv1alpha1.ImageName("e", id, tag),
			UID:             types.UID(id + tag),
			ResourceVersion: fmt.Sprint(version),
			Annotations:     map[string]string{containersv1alpha1.IDAnnotation: id},
		},
		Status: containersv1alpha1.ImageStatus{ID: id, RepoTag: tag},
	}
}

var (
	c1Key  = engine.Key{Kind: engine.KindContainer, ID: "c1"}
	c1Name = mirrorName{engine.KindContainer, "c1"}
)

// knownName returns the container name that the table knows, and whether the
// version is another client's.
func knownName(t *testing.T, tbl *table) string {
	t.Helper()
	mirrors := tbl.of(c1Key)
	if len(mirrors) != 1 {
		t.Fatalf("%d mirrors", len(mirrors))
	}
	return mirrors[0].(*containersv1alpha1.Container).Status.Name
}

func TestTableKeepsTheNewest(t *testing.T) {
	tbl := newTable()
	tbl.wrote(testContainer(5, "u", "written"))
	tbl.watched(testContainer(4, "u", "late"))
	if got := knownName(t, tbl); got != "written" || tbl.foreign(c1Name) {
		t.Errorf("an old watch event won: %q, foreign %v", got, tbl.foreign(c1Name))
	}
	tbl.watched(testContainer(5, "u", "written"))
	if tbl.foreign(c1Name) {
		t.Error("our own write came back as foreign")
	}
	tbl.watched(testContainer(6, "u", "theirs"))
	if got := knownName(t, tbl); got != "theirs" || !tbl.foreign(c1Name) {
		t.Errorf("a newer event: %q, foreign %v", got, tbl.foreign(c1Name))
	}
	tbl.wrote(testContainer(7, "u", "ours"))
	if got := knownName(t, tbl); got != "ours" || tbl.foreign(c1Name) {
		t.Errorf("our answer: %q, foreign %v", got, tbl.foreign(c1Name))
	}
	// The watch may be faster than the answer to the write.
	tbl.watched(testContainer(8, "u", "ours"))
	tbl.wrote(testContainer(8, "u", "ours"))
	if tbl.foreign(c1Name) {
		t.Error("a write that the watch brought first is foreign")
	}
	if got := tbl.count(engine.KindContainer); got != 1 {
		t.Errorf("count %d", got)
	}
}

func TestTableRemoval(t *testing.T) {
	tbl := newTable()
	first := testContainer(5, "u1", "first")
	tbl.wrote(first)
	tbl.removed(first)
	tbl.watched(testContainer(6, "u1", "late")) // e.g. without its finalizer
	if got := tbl.of(c1Key); len(got) != 0 {
		t.Errorf("a late event raised a removed mirror: %v", got)
	}
	// A new one of the same name, before the watch has brought the end of the
	// first.
	tbl.wrote(testContainer(9, "u2", "second"))
	if tbl.watchedRemoval(testContainer(8, "u1", "first")) {
		t.Error("the end that we made ourselves was news")
	}
	if got := knownName(t, tbl); got != "second" {
		t.Errorf("the end of the first ended the second: %q", got)
	}
	if !tbl.watchedRemoval(testContainer(12, "u2", "second")) {
		t.Error("a removal by another client was known already")
	}
	if tbl.watchedRemoval(testContainer(12, "u2", "second")) {
		t.Error("an end was news twice")
	}
	if got := tbl.count(engine.KindContainer); got != 0 {
		t.Errorf("count %d", got)
	}
}

func TestTableImages(t *testing.T) {
	tbl := newTable()
	a, b := engine.Key{Kind: engine.KindImage, ID: "a"}, engine.Key{Kind: engine.KindImage, ID: "b"}
	tbl.wrote(testImage(1, "a", "x:1"))
	tbl.wrote(testImage(2, "a", "x:2"))
	tbl.wrote(testImage(3, "b", "y:1"))
	if got := len(tbl.of(a)); got != 2 {
		t.Errorf("%d mirrors of an image with two tags", got)
	}
	if got := tbl.rivals(b, []string{"y:1", "x:2"}); !slices.Equal(got, []engine.Key{a}) {
		t.Errorf("rivals of b for x:2: %v", got)
	}
	if got := tbl.rivals(a, []string{"x:1", "x:2"}); len(got) != 0 {
		t.Errorf("an image is its own rival: %v", got)
	}
	tbl.removed(testImage(2, "a", "x:2"))
	if got := tbl.rivals(b, []string{"x:2"}); len(got) != 0 {
		t.Errorf("a removed mirror is a rival: %v", got)
	}
	if got := len(tbl.keys(engine.KindImage)); got != 2 {
		t.Errorf("%d images", got)
	}
}

// TestNewTags: a tag that the mirrors have already queues no other image, or two
// images that both show it would queue each other for ever.
func TestNewTags(t *testing.T) {
	tagged := func(tags ...string) []client.Object {
		var mirrors []client.Object
		for _, tag := range tags {
			mirrors = append(mirrors, &containersv1alpha1.Image{Status: containersv1alpha1.ImageStatus{RepoTag: tag}})
		}
		return mirrors
	}
	for _, test := range []struct{ have, want, news []string }{
		{nil, nil, nil},
		{nil, []string{"a:1", "b:1"}, []string{"a:1", "b:1"}},
		{[]string{"a:1"}, []string{"a:1"}, nil},
		{[]string{"a:1", "c:1"}, []string{"a:1", "b:1"}, []string{"b:1"}},
		{[]string{"a:1"}, []string{""}, nil},
	} {
		if got := newTags(tagged(test.have...), tagged(test.want...)); !slices.Equal(got, test.news) {
			t.Errorf("of %q, where there are %q, news are %q, want %q", test.want, test.have, got, test.news)
		}
	}
}
