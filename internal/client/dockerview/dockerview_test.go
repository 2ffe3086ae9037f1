// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }

// TestStates: the words that dockerd has for states that a test can't keep it in.
func TestStates(t *testing.T) {
	for want, status := range map[string]containersv1alpha1.ContainerStatus{
		"Removal In Progress":           {Status: containersv1alpha1.PhaseRemoving},
		"Dead":                          {Status: containersv1alpha1.PhaseDead},
		"Restarting (7) 5 minutes ago":  {Status: containersv1alpha1.PhaseRestarting, ExitCode: 7, FinishedAt: before(5 * time.Minute)},
		"Up 2 hours (health: starting)": {Status: containersv1alpha1.PhaseRunning, Health: "starting", StartedAt: before(2 * time.Hour)},
		"Up 2 hours (Paused)":           {Status: containersv1alpha1.PhasePaused, Health: "healthy", StartedAt: before(2 * time.Hour)},
		"Created":                       {Status: containersv1alpha1.PhaseCreated},
		"Exited (137) 3 days ago":       {Status: containersv1alpha1.PhaseExited, ExitCode: 137, StartedAt: before(80 * time.Hour), FinishedAt: before(72 * time.Hour)},
		`Up 2 hours (\x1b[31mred)`:      {Status: containersv1alpha1.PhaseRunning, Health: "\x1b[31mred", StartedAt: before(2 * time.Hour)},
	} {
		r := containerRow{common: common{now: now}, status: &status}
		if got := r.Status(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestFoldedPorts: a range of ports that the mirror folds is shown as Docker shows its
// ports.
func TestFoldedPorts(t *testing.T) {
	r := containerRow{status: &containersv1alpha1.ContainerStatus{
		Status: containersv1alpha1.PhaseRunning, Networks: []containersv1alpha1.NetworkAttachment{{Name: "bridge"}},
		Ports: []containersv1alpha1.Port{
			{Name: "8000-8100/tcp", Bindings: []containersv1alpha1.PortBinding{{HostIP: "0.0.0.0", HostPort: "8000-8100"}}},
			{Name: "9000-9001/udp"},
			{Name: "odd"},
		},
	}}
	if got, want := r.Ports(), "0.0.0.0:8000-8100->8000-8100/tcp, 9000-9001/udp"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"10m": now.Add(-10 * time.Minute), "1h30m": now.Add(-90 * time.Minute), "2029-12-31T00:00:00Z": time.Date(2029, 12, 31, 0, 0, 0, 0, time.UTC),
		"1136073845": time.Unix(1136073845, 0), "1136073845.5": time.Unix(1136073845, 5e8), "2006-01-02": time.Date(2006, 1, 2, 0, 0, 0, 0, time.Local), //nolint:gosmopolitan // as the docker command
	} {
		if got, err := ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "NaN", "1e300", "2006-13-01"} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestImageOfContainer: an ID is shortened, and a name is not, even if a simulated engine
// has nothing else.
func TestImageOfContainer(t *testing.T) {
	id := "sha256:" + strings.Repeat("ab", 32)
	for _, test := range []struct{ id, name, want string }{
		{id, "busybox:1", "busybox:1"},
		{id, id, "abababababab"},
		{id, "docker.io/library/busybox:1", "busybox:1"},
		{"busybox:1", "busybox:1", "busybox:1"},
		{"", "", "<no image>"},
	} {
		r := containerRow{status: &containersv1alpha1.ContainerStatus{Image: test.id}, image: imageOf{name: test.name}}
		if got := r.Image(); got != test.want {
			t.Errorf("the image %s of the ID %s is shown as %q, want %q", test.name, test.id, got, test.want)
		}
	}
}
