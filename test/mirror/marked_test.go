// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestMarkedConditionsAreWrittenAgain: a controller whose conditions were set
// Unknown as if it were gone writes them again, one that was stopped with its
// process as well as one that starts.
func TestMarkedConditionsAreWrittenAgain(t *testing.T) {
	t.Parallel()
	e, _ := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	mark := func() {
		t.Helper()
		e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce))
		if !(liveness.Absence{Controller: "engine"}).Mark(&ce.Status.Conditions, []string{containersv1alpha1.ConditionReady}, time.Now()) {
			t.Fatal("nothing was marked")
		}
		e.must(e.kube.Status().Update(t.Context(), ce))
	}
	mark()
	e.waitReason(ce, containersv1alpha1.ReasonConnected)

	e.stopManager()
	mark()
	e.startManager()
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	if c := ce.Status.Conditions[0]; c.Status != metav1.ConditionTrue {
		t.Errorf("the condition is %+v", c)
	}
}
