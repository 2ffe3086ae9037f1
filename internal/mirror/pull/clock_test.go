// SPDX-License-Identifier: Apache-2.0

package pull

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestCompletedLater: a request that ended by a clock which was two days ahead is removed
// a minute after the clock was set right, and not two days later.
func TestCompletedLater(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := containersv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 0, 500, time.UTC))
	pull := &containersv1alpha1.ImagePullRequest{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "b", UID: "u"}}
	pull.Status.CompletedAt = &metav1.Time{Time: clock.Now().Add(48 * time.Hour)}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(pull).WithStatusSubresource(pull).Build()
	r := &reconciler{client: c, operations: operations{clock: clock}}
	for range 4 {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(pull), pull); apierrors.IsNotFound(err) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		result, err := r.expire(t.Context(), pull)
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter > retention {
			t.Fatalf("it is looked at after %s, want at most %s", result.RequeueAfter, retention)
		}
		clock.Step(result.RequeueAfter)
	}
	t.Errorf("it is still there: %+v", pull.Status)
}
