// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

func TestEngineStaleness(t *testing.T) {
	t.Parallel()
	ready := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: containersv1alpha1.ConditionReady, Status: status, Reason: reason, Message: message, LastTransitionTime: *ago(0)}
	}
	connected := ready(metav1.ConditionTrue, containersv1alpha1.ReasonConnected, "connected")
	for name, test := range map[string]struct {
		conditions []metav1.Condition
		synced     bool
		want       []string // parts of the line; none for no line
	}{
		"new":          {nil, false, []string{"ns/moby", "not connected yet"}},
		"connected":    {[]metav1.Condition{connected}, true, nil},
		"never synced": {[]metav1.Condition{ready(metav1.ConditionFalse, "ConnectFailed", "refused")}, false, []string{"ConnectFailed (refused)", "not mirrored yet"}},
		"disconnected": {[]metav1.Condition{ready(metav1.ConditionFalse, "Disconnected", "EOF\x1b[2J")}, true,
			[]string{"ns/moby: Disconnected since", `(EOF\x1b[2J)`, "may be stale"}},
		"incomplete": {[]metav1.Condition{connected, {Type: containersv1alpha1.ConditionComplete, Status: metav1.ConditionFalse,
			Reason: "ListFailed", Message: "volumes: 500"}}, true, []string{"incomplete", "ListFailed (volumes: 500)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "moby"}}
			e.Status.Conditions = test.conditions
			if test.synced {
				e.Status.LastSync = ago(0)
			}
			lines := engineStaleness(e)
			if len(lines) != min(len(test.want), 1) {
				t.Fatalf("lines %q", lines)
			}
			for _, part := range test.want {
				if !strings.Contains(lines[0], part) || strings.Contains(lines[0], "\x1b") {
					t.Errorf("%q lacks %q", lines[0], part)
				}
			}
		})
	}
}
