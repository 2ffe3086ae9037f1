// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// testEvents makes Events through one API group and reads them through the other.
func testEvents(t *testing.T, env *controlplanetest.Env) {
	client := clientset(t, env.Remote())
	older, newer := client.CoreV1().Events("default"), client.EventsV1().Events("default")
	all := metav1.ListOptions{Watch: true}
	seenOld, err := older.Watch(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer seenOld.Stop()
	seenNew, err := newer.Watch(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer seenNew.Stop()

	about := corev1.ObjectReference{Kind: "ConfigMap", Namespace: "default", Name: "about", APIVersion: "v1"}
	if _, err := older.Create(t.Context(), &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "old"}, InvolvedObject: about,
		Reason: "Old", Message: "made by the core group", Type: corev1.EventTypeNormal, Count: 3, Source: corev1.EventSource{Component: "test"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := newer.Create(t.Context(), &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Regarding: about, EventTime: metav1.NewMicroTime(time.Now()),
		Reason: "New", Note: "made by the newer group", Type: corev1.EventTypeWarning, Action: "Test", ReportingController: "test", ReportingInstance: "1"}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// What the newer group asks for is checked there, and not in the other.
	if _, err := newer.Create(t.Context(), &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Regarding: about}, metav1.CreateOptions{}); err == nil {
		t.Error("an Event without a time was taken")
	}

	if event, err := newer.Get(t.Context(), "old", metav1.GetOptions{}); err != nil || event.Note != "made by the core group" || event.DeprecatedCount != 3 || event.Regarding.Name != "about" {
		t.Errorf("the older Event in the newer group: %+v, %v", event, err)
	}
	if event, err := older.Get(t.Context(), "new", metav1.GetOptions{}); err != nil || event.Message != "made by the newer group" || event.InvolvedObject.Name != "about" {
		t.Errorf("the newer Event in the core group: %+v, %v", event, err)
	}
	if list, err := newer.List(t.Context(), metav1.ListOptions{FieldSelector: "reason=New"}); err != nil || len(list.Items) != 1 {
		t.Errorf("by reason: %+v, %v", list, err)
	}
	for group, watched := range map[string]watch.Interface{"core": seenOld, "newer": seenNew} {
		for _, want := range []string{"old", "new"} {
			select {
			case got := <-watched.ResultChan():
				if object, ok := got.Object.(metav1.Object); !ok || got.Type != watch.Added || object.GetName() != want {
					t.Errorf("the watch of the %s group: %+v, want %s", group, got, want)
				}
			case <-time.After(patience):
				t.Errorf("the watch of the %s group does not tell of %s", group, want)
			}
		}
	}
	if err := newer.Delete(t.Context(), "old", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if list, err := older.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 1 || list.Items[0].Name != "new" {
		t.Errorf("after a deletion by the newer group: %+v, %v", list, err)
	}
}
