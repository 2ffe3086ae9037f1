// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestOlder: exactly one of two ContainerEngines is the older one. Of two that were
// created in the same second it is the one that has the engine.
func TestOlder(t *testing.T) {
	made := func(uid types.UID, second int64, reason string) *containersv1alpha1.ContainerEngine {
		e := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{UID: uid, CreationTimestamp: metav1.NewTime(time.Unix(second, 0))}}
		if reason != "" {
			e.Status.Conditions = []metav1.Condition{{Type: containersv1alpha1.ConditionReady, Reason: reason}}
		}
		return e
	}
	const connected, conflict, stopped = containersv1alpha1.ReasonConnected, containersv1alpha1.ReasonConflict, containersv1alpha1.ReasonStopped
	for name, test := range map[string]struct {
		first, second *containersv1alpha1.ContainerEngine
	}{
		"by age":                        {made("b", 1, ""), made("a", 2, connected)},
		"of one second, connected":      {made("b", 1, connected), made("a", 1, "")},
		"of one second, in conflict":    {made("b", 1, connected), made("a", 1, conflict)},
		"of one second, started again":  {made("b", 1, containersv1alpha1.ReasonConnecting), made("a", 1, stopped)},
		"of one second, neither so far": {made("a", 1, ""), made("b", 1, "")},
		"of one second, both":           {made("a", 1, connected), made("b", 1, connected)},
	} {
		if !older(test.first, test.second) || older(test.second, test.first) {
			t.Errorf("%s: %t, and the reverse %t", name, older(test.first, test.second), older(test.second, test.first))
		}
	}
}
