// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"strings"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// TestTablesAreSafeToShow: an engine's text reaches the terminal only escaped.
func TestTablesAreSafeToShow(t *testing.T) {
	t.Parallel()
	const bad, shown = "a\x1b]0;t\a\u202eb\nc\u009bd", `a\x1b]0;t\x07\u202eb c\x9bd`
	for name, test := range map[string]struct {
		table Table
		list  client.ObjectList
		cells int // with the bad text
	}{
		"containers": {Containers(), &containersv1alpha1.ContainerList{Items: []containersv1alpha1.Container{{ObjectMeta: meta("c", bad),
			Status: containersv1alpha1.ContainerStatus{Name: bad, ImageName: bad, Status: containersv1alpha1.PhaseRunning, Health: bad, PortSummary: bad}}}}, 5},
		"images":  {Images(), &containersv1alpha1.ImageList{Items: []containersv1alpha1.Image{{ObjectMeta: meta("i", "one"), Status: containersv1alpha1.ImageStatus{RepoTag: bad}}}}, 1},
		"volumes": {Volumes(), &containersv1alpha1.VolumeList{Items: []containersv1alpha1.Volume{{ObjectMeta: meta("v", "one"), Status: containersv1alpha1.VolumeStatus{Name: bad, Driver: bad, Mountpoint: bad}}}}, 3},
		"virtual machines": {VirtualMachines(), &limav1alpha1.LimaVMList{Items: []limav1alpha1.LimaVM{{ObjectMeta: meta("m", "one"), Status: limav1alpha1.LimaVMStatus{
			SSHAddress: bad, Conditions: []metav1.Condition{{Type: limav1alpha1.ConditionRunning, Status: metav1.ConditionUnknown, Reason: "X", Message: bad}}}}}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := Lister{Clock: clocktesting.NewFakeClock(now)}
			var out strings.Builder
			if err := l.write(&out, test.table, test.list); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(out.String(), "\x1b\a\u202e\u009b") || strings.Count(out.String(), "\n") != 2 || strings.Count(out.String(), shown) != test.cells {
				t.Errorf("%q, want %d times %q in two lines", out.String(), test.cells, shown)
			}
		})
	}
}
