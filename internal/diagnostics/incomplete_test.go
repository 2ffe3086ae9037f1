// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestIncompleteEngine: each reason has a remedy of its own, and an engine that is
// away is worth a word of its own only.
func TestIncompleteEngine(t *testing.T) {
	remedies := map[string]string{}
	for _, reason := range []string{
		containersv1alpha1.ReasonListFailed, containersv1alpha1.ReasonListSlow, containersv1alpha1.ReasonInspectFailed,
		containersv1alpha1.ReasonWriteRefused, containersv1alpha1.ReasonActFailed, containersv1alpha1.ReasonDeletionFailed,
	} {
		engine := func(ready string) containersv1alpha1.ContainerEngine {
			e := containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "moby"}}
			e.Status.Conditions = []metav1.Condition{
				{Type: containersv1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: ready},
				{Type: containersv1alpha1.ConditionComplete, Status: metav1.ConditionFalse, Reason: reason, Message: "volume data: broken; and 2 more"},
			}
			return e
		}
		found := Known().Diagnose(Observed{Now: time.Now(), Command: "rdd --instance x", Engines: []containersv1alpha1.ContainerEngine{engine(containersv1alpha1.ReasonConnected)}})
		if len(found) != 1 || found[0].Code != EngineIncomplete.Code || found[0].Message != "volume data: broken; and 2 more" {
			t.Fatalf("%s: %+v", reason, found)
		}
		remedy := found[0].Remedy
		if strings.ContainsAny(remedy, "{}") || !strings.Contains(remedy, "`rdd --instance x ctl describe containerengine -n ns moby`") {
			t.Errorf("%s: %s", reason, remedy)
		}
		if other, ok := remedies[remedy]; ok {
			t.Errorf("%s and %s have one remedy", reason, other)
		}
		remedies[remedy] = reason
		found = Known().Diagnose(Observed{Now: time.Now(), Engines: []containersv1alpha1.ContainerEngine{engine(containersv1alpha1.ReasonDisconnected)}})
		if len(found) != 1 || found[0].Code != EngineNotAnswering.Code {
			t.Errorf("%s of an engine that is away: %+v", reason, found)
		}
	}
}
