// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"testing"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func TestStatusText(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-ago)} }
	for name, test := range map[string]struct {
		text  string
		known containersv1alpha1.ContainerStatus
		want  bool
	}{
		"just started":          {"Up Less than a second", containersv1alpha1.ContainerStatus{StartedAt: at(0)}, true},
		"seconds":               {"Up 10 seconds", containersv1alpha1.ContainerStatus{StartedAt: at(10 * time.Second)}, true},
		"clocks a little apart": {"Up 10 seconds", containersv1alpha1.ContainerStatus{StartedAt: at(13 * time.Second)}, true},
		"restarted":             {"Up 10 seconds", containersv1alpha1.ContainerStatus{StartedAt: at(50 * time.Second)}, false},
		"restarted after hours": {"Up About a minute", containersv1alpha1.ContainerStatus{StartedAt: at(5 * time.Hour)}, false},
		"never started, runs":   {"Up 3 seconds", containersv1alpha1.ContainerStatus{}, false},
		"hours":                 {"Up 5 hours", containersv1alpha1.ContainerStatus{StartedAt: at(5*time.Hour + time.Minute)}, true},
		"paused":                {"Up 2 minutes (Paused)", containersv1alpha1.ContainerStatus{StartedAt: at(2 * time.Minute)}, true},
		"healthy":               {"Up 2 minutes (healthy)", containersv1alpha1.ContainerStatus{StartedAt: at(2 * time.Minute), Health: "healthy"}, true},
		"became unhealthy":      {"Up 2 minutes (unhealthy)", containersv1alpha1.ContainerStatus{StartedAt: at(2 * time.Minute), Health: "healthy"}, false},
		"health starts":         {"Up 2 seconds (health: starting)", containersv1alpha1.ContainerStatus{StartedAt: at(2 * time.Second), Health: "starting"}, true},
		"health appeared":       {"Up 2 seconds (health: starting)", containersv1alpha1.ContainerStatus{StartedAt: at(2 * time.Second)}, false},
		"exited":                {"Exited (137) 4 hours ago", containersv1alpha1.ContainerStatus{ExitCode: 137, FinishedAt: at(4 * time.Hour)}, true},
		"another exit code":     {"Exited (0) 4 hours ago", containersv1alpha1.ContainerStatus{ExitCode: 137, FinishedAt: at(4 * time.Hour)}, false},
		"exited again":          {"Exited (137) 4 seconds ago", containersv1alpha1.ContainerStatus{ExitCode: 137, FinishedAt: at(4 * time.Hour)}, false},
		"created":               {"Created", containersv1alpha1.ContainerStatus{}, true},
		"unknown words":         {"Removal In Progress", containersv1alpha1.ContainerStatus{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := statusTextFits(test.text, &test.known, now); got != test.want {
				t.Errorf("%q fits %+v: %v, want %v", test.text, test.known, got, test.want)
			}
		})
	}
}

// TestStatusTextOverTime: a container that just runs on is never taken for
// another, at whatever age it is looked at.
func TestStatusTextOverTime(t *testing.T) {
	started := time.Date(2030, 1, 1, 12, 0, 0, 999_999_999, time.UTC)
	known := &containersv1alpha1.ContainerStatus{StartedAt: &metav1.Time{Time: started.Truncate(time.Second)}}
	for age := time.Duration(0); age < 400*24*time.Hour; age += 977*time.Millisecond + age/50 {
		now := started.Add(age)
		if text := "Up " + units.HumanDuration(age); !statusTextFits(text, known, now) {
			t.Fatalf("%q does not fit a container of age %s", text, age)
		}
	}
}

func TestContainerItem(t *testing.T) {
	summary := &container.Summary{ID: "c", Names: []string{"/a"}, ImageID: "sha256:1", State: container.StateCreated, Status: "Created", Labels: map[string]string{"k": "v"}}
	item := containerItem(summary)
	known := containersv1alpha1.ContainerStatus{Name: "a", Image: "sha256:1", Status: containersv1alpha1.PhaseCreated, Labels: map[string]string{"k": "v"}}
	for name, test := range map[string]struct {
		change func(*containersv1alpha1.ContainerStatus)
		want   bool
	}{
		"the same": {func(*containersv1alpha1.ContainerStatus) {}, true},
		"renamed":  {func(s *containersv1alpha1.ContainerStatus) { s.Name = "b" }, false},
		"started":  {func(s *containersv1alpha1.ContainerStatus) { s.Status = containersv1alpha1.PhaseRunning }, false},
		"labels":   {func(s *containersv1alpha1.ContainerStatus) { s.Labels = nil }, false},
		"image":    {func(s *containersv1alpha1.ContainerStatus) { s.Image = "sha256:2" }, false},
		"a port": {func(s *containersv1alpha1.ContainerStatus) {
			s.Ports = []containersv1alpha1.Port{{Name: "80/tcp", Bindings: []containersv1alpha1.PortBinding{{HostIP: "0.0.0.0", HostPort: "8080"}}}}
		}, false},
		"an exposed port": {func(s *containersv1alpha1.ContainerStatus) { s.Ports = []containersv1alpha1.Port{{Name: "80/tcp"}} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			status := *known.DeepCopy()
			test.change(&status)
			if got := item.Current(engine.Object{Container: &status}, time.Now()); got != test.want {
				t.Errorf("current: %v, want %v", got, test.want)
			}
		})
	}
}

// TestImageItem: an engine with containerd's image store lists one name of a
// digest only, and its list is the only one to tell of platforms.
func TestImageItem(t *testing.T) {
	known := containersv1alpha1.ImageStatus{RepoTag: "a:1", RepoDigests: []string{"a@sha256:1", "b@sha256:1"}, Size: 10}
	for name, test := range map[string]struct {
		summary image.Summary
		want    bool
	}{
		"the same":        {image.Summary{RepoDigests: known.RepoDigests, Size: 10}, true},
		"a name less":     {image.Summary{RepoDigests: []string{"b@sha256:1"}, Size: 10}, false},
		"one name listed": {image.Summary{RepoDigests: []string{"b@sha256:1"}, Size: 10, Descriptor: &ocispec.Descriptor{}}, true},
		"another digest":  {image.Summary{RepoDigests: []string{"b@sha256:2"}, Size: 10, Descriptor: &ocispec.Descriptor{}}, false},
		"a platform less": {image.Summary{RepoDigests: []string{"b@sha256:1"}, Size: 5, Descriptor: &ocispec.Descriptor{}}, false},
		"an old engine's": {image.Summary{RepoDigests: known.RepoDigests, Size: 5}, true},
	} {
		t.Run(name, func(t *testing.T) {
			test.summary.ID, test.summary.RepoTags = "sha256:1", []string{"a:1"}
			if got := imageItem(&test.summary).Current(engine.Object{Images: []containersv1alpha1.ImageStatus{known}}, time.Now()); got != test.want {
				t.Errorf("current: %v, want %v", got, test.want)
			}
		})
	}
}
