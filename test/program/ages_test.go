// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// simulate mirrors the objects of a file into the namespace default.
func (h *home) simulate(world string, resync time.Duration) *containersv1alpha1.ContainerEngine {
	h.t.Helper()
	file := filepath.Join(h.dir, "world.yaml")
	if err := os.WriteFile(file, []byte(world), 0o600); err != nil {
		h.t.Fatal(err)
	}
	e := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "sim", Namespace: "default"}}
	e.Spec = containersv1alpha1.ContainerEngineSpec{Type: containersv1alpha1.EngineSimulated, Endpoint: "file://" + file,
		ResyncPeriod: &metav1.Duration{Duration: resync}}
	if err := h.client().Create(h.t.Context(), e); err != nil {
		h.t.Fatal(err)
	}
	return e
}

// TestAges: a table shows how old a container, an image and a volume are, and not the
// mirror; one that was made in the future is new.
func TestAges(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	past, future := time.Now().Add(-73*time.Minute).UTC().Format(time.RFC3339), time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)
	h.simulate(fmt.Sprintf(`
images: [{repoTag: "old:1", createdAt: %[1]q}, {repoTag: "new:1", createdAt: %[2]q}]
volumes: [{name: old, createdAt: %[1]q}, {name: new, createdAt: %[2]q}]
containers: [{name: old, image: "old:1", createdAt: %[1]q}, {name: new, image: "new:1", createdAt: %[2]q}]
`, past, future), time.Second)
	h.ok("ctl", "wait-condition", "containerengine/sim", "Ready", "-n", "default")
	for _, kind := range []string{"containers", "images", "volumes"} {
		var old, recent string
		h.eventually("all "+kind+" are listed", func() (bool, string) {
			table := h.ok("ctl", "get", kind, "-n", "default", "--no-headers")
			for line := range strings.Lines(table) {
				if strings.Contains(line, "old") {
					old = line
				} else if strings.Contains(line, "new") {
					recent = line
				}
			}
			return old != "" && recent != "", table
		})
		if !regexp.MustCompile(`\b73m\s*$`).MatchString(old) {
			t.Errorf("%s: the age of one of 73 minutes: %s", kind, old)
		}
		if !regexp.MustCompile(`\b\d+s\s*$`).MatchString(recent) {
			t.Errorf("%s: the age of one of tomorrow: %s", kind, recent)
		}
	}
	versions := func() string {
		return h.ok("ctl", "get", "containers,images,volumes", "-n", "default", "-o", "custom-columns=:.metadata.resourceVersion")
	}
	before := versions()
	var e containersv1alpha1.ContainerEngine
	last := func() time.Time {
		if err := h.client().Get(t.Context(), ctrlclient.ObjectKey{Namespace: "default", Name: "sim"}, &e); err != nil || e.Status.LastSync == nil {
			t.Fatalf("%v: %+v", err, e.Status)
		}
		return e.Status.LastSync.Time
	}
	began := last()
	h.eventually("it is compared again", func() (bool, string) { return last().After(began.Add(2 * time.Second)), "" })
	if after := versions(); after != before {
		t.Errorf("comparisons wrote what is the same: %s, then %s", before, after)
	}
}

// TestFirstComparisonTellsProgress: how far the first comparison of a large engine is
// stands in the condition, and in `rdd status`.
func TestFirstComparisonTellsProgress(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	var world strings.Builder
	world.WriteString("images: [{repoTag: \"a:1\"}]\ncontainers:\n")
	for i := range 6000 {
		fmt.Fprintf(&world, "- {name: c%d, image: \"a:1\"}\n", i)
	}
	h.simulate(world.String(), time.Hour)
	message := func() string {
		return h.ok("ctl", "get", "containerengine", "sim", "-n", "default", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].message}`)
	}
	h.eventually("the condition tells progress", func() (bool, string) {
		text := message()
		return regexp.MustCompile(`^connecting: [\d,]+ of 6,000 containers$`).MatchString(text), text
	})
	h.eventually("rdd status tells progress", func() (bool, string) {
		screen := h.ok("status")
		return regexp.MustCompile(`Connecting: [\d,]+ of 6,000 containers`).MatchString(screen), screen
	})
}
