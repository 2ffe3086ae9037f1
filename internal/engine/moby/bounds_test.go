// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func TestNumbersAreClamped(t *testing.T) {
	t.Parallel()
	status := containerStatus(&container.InspectResponse{RestartCount: math.MaxInt64, State: &container.State{ExitCode: math.MinInt64}})
	if status.RestartCount != math.MaxInt32 || status.ExitCode != math.MinInt32 {
		t.Errorf("%d restarts, exit code %d", status.RestartCount, status.ExitCode)
	}
	status = containerStatus(&container.InspectResponse{State: &container.State{ExitCode: 3221225786}}) // STATUS_CONTROL_C_EXIT of Windows
	if status.ExitCode != math.MaxInt32 {
		t.Errorf("exit code %d", status.ExitCode)
	}
	if !statusTextFits("Exited (3221225786) 4 hours ago", &containersv1alpha1.ContainerStatus{
		ExitCode: math.MaxInt32, FinishedAt: &metav1.Time{Time: time.Unix(0, 0)}}, time.Unix(4*3600, 0)) {
		t.Error("the list of a clamped exit code is not taken for the same")
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*metav1.Time{
		"":                              nil,
		"yesterday":                     nil,
		"0001-01-01T00:00:00Z":          nil,
		"2030-05-06T07:08:09.9Z":        {Time: time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)},
		"9999-12-31T23:59:59-01:00":     {Time: time.Date(10000, 1, 1, 0, 59, 59, 0, time.UTC)},
		"10000-01-01T00:00:00Z":         {Time: engine.NoTime()},
		"292277026596-12-04T15:30:07Z":  {Time: engine.NoTime()},
		"-0001-01-01T00:00:00Z":         {Time: engine.NoTime()},
		"2030-05-06 07:08:09 +0000 UTC": nil,
	} {
		if got := parseTime(text); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestFingerprint: what an engine lists in another order is the same, and so is what only got older.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	summary := func(change func(*container.Summary)) *container.Summary {
		s := &container.Summary{ID: "a", Names: []string{"/a", "/b/a"}, ImageID: "i", State: container.StateRunning, Status: "Up 5 seconds (healthy)",
			Labels: map[string]string{"k": "v"},
			Ports:  []container.PortSummary{{PrivatePort: 80, PublicPort: 8080, Type: "tcp"}, {PrivatePort: 90, PublicPort: 9090, Type: "tcp"}}}
		change(s)
		return s
	}
	item := containerItem(summary(func(*container.Summary) {}))
	for name, test := range map[string]struct {
		change func(*container.Summary)
		same   bool
	}{
		"order":   {func(s *container.Summary) { slices.Reverse(s.Ports); slices.Reverse(s.Names) }, true},
		"older":   {func(s *container.Summary) { s.Status = "Up 5 hours (healthy)" }, true},
		"health":  {func(s *container.Summary) { s.Status = "Up 5 seconds (unhealthy)" }, false},
		"exited":  {func(s *container.Summary) { s.State, s.Status = container.StateExited, "Exited (1) 5 seconds ago" }, false},
		"name":    {func(s *container.Summary) { s.Names = s.Names[:1] }, false},
		"label":   {func(s *container.Summary) { s.Labels = nil }, false},
		"port":    {func(s *container.Summary) { s.Ports = s.Ports[1:] }, false},
		"address": {func(s *container.Summary) { s.Ports[0].IP = netip.IPv4Unspecified() }, false},
		"image":   {func(s *container.Summary) { s.ImageID = "j" }, false},
	} {
		if same := containerItem(summary(test.change)).Fingerprint() == item.Fingerprint(); same != test.same {
			t.Errorf("%s: the same: %v, want %v", name, same, test.same)
		}
	}
	started := time.Unix(1_900_000_000, 0)
	known := engine.Object{Container: &containersv1alpha1.ContainerStatus{StartedAt: &metav1.Time{Time: started}}}
	if !item.Fits(known, started.Add(5*time.Second)) || item.Fits(known, started.Add(5*time.Hour)) {
		t.Error("the time since the start does not decide whether an item fits")
	}
	if !item.Fits(engine.Object{Container: &containersv1alpha1.ContainerStatus{}}, started) {
		t.Error("a time that is not known never fits")
	}
}
