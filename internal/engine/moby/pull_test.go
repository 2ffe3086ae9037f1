// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/jsonstream"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestPullProgress: what is known after each message of a pull.
func TestPullProgress(t *testing.T) {
	var pulled layers
	for _, step := range []struct {
		status, id          string
		current, total      int64
		ignored             bool
		percent             int32
		downloaded, allOfIt int64
	}{
		{status: "Pulling from library/a", id: "latest", ignored: true},
		{status: "Pulling fs layer", id: "a"},
		{status: "Pulling fs layer", id: "b"},
		{status: "Already exists", id: "c", percent: 33},
		// 100 bytes of a are known: b and c count as much.
		{status: "Downloading", id: "a", current: 50, total: 100, percent: 41, downloaded: 50, allOfIt: 100},
		// b is far bigger than was thought, and what was said stands.
		{status: "Downloading", id: "b", current: 0, total: 700, percent: 41, downloaded: 50, allOfIt: 800},
		{status: "Verifying Checksum", id: "a", percent: 41, downloaded: 100, allOfIt: 800},
		{status: "Downloading", id: "b", current: 350, total: 700, percent: 52, downloaded: 450, allOfIt: 800},
		{status: "Extracting", id: "a", current: 60, total: 120, percent: 54, downloaded: 450, allOfIt: 800},
		{status: "Download complete", id: "b", percent: 68, downloaded: 800, allOfIt: 800},
		{status: "Pull complete", id: "a", percent: 70, downloaded: 800, allOfIt: 800},
		{status: "Pull complete", id: "b", percent: 99, downloaded: 800, allOfIt: 800}, // the end of the stream completes it
		{status: "Digest: sha256:1", ignored: true},
		{status: "Status: Downloaded newer image for a:latest", ignored: true},
	} {
		message := jsonstream.Message{Status: step.status, ID: step.id, Progress: &jsonstream.Progress{Current: step.current, Total: step.total}}
		if known := pulled.add(message); known == step.ignored {
			t.Errorf("%s %s: taken for a layer's: %v", step.status, step.id, known)
		}
		if step.ignored {
			continue
		}
		got := pulled.progress()
		got.Layers = nil
		want := containersv1alpha1.PullProgress{Percent: step.percent, CurrentBytes: step.downloaded, TotalBytes: step.allOfIt}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s %s: (-want +got)\n%s", step.status, step.id, diff)
		}
	}
	if got := len(pulled.progress().Layers); got != 3 {
		t.Errorf("%d layers, want 3", got)
	}
}
