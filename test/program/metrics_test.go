// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestMetrics: the mirror's metrics are there, and correct.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	engine.AddContainers(2, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	h.eventually("five are mirrored", func() (bool, string) {
		n := h.metric(`rdd_mirror_objects{engine="rancher-desktop/moby",kind="container"}`)
		return n == 5, strconv.FormatFloat(n, 'f', -1, 64)
	})
	for metric, least := range map[string]float64{
		`rdd_mirror_events_total{engine="rancher-desktop/moby",kind="container"}`:                 4, // two created, two started
		`rdd_mirror_writes_total{engine="rancher-desktop/moby",kind="container",verb="create"}`:   5,
		`rdd_mirror_writes_total{engine="rancher-desktop/moby",kind="container",verb="update"}`:   5,
		`rdd_mirror_event_to_write_seconds_count{engine="rancher-desktop/moby",kind="container"}`: 2,
		`controller_runtime_reconcile_total{controller="engine",result="success"}`:                1,
		`workqueue_adds_total{controller="engine",name="engine"}`:                                 1,
	} {
		h.eventually(metric, func() (bool, string) {
			n := h.metric(metric)
			return n >= least, strconv.FormatFloat(n, 'f', -1, 64)
		})
	}
	if n := h.metric(`rdd_mirror_resync_repairs_total{engine="rancher-desktop/moby",kind="container"}`); n != 0 {
		t.Errorf("%v repairs where nothing was lost", n)
	}
}

// metric returns the value of a metric of the daemon's controllers, 0 where it
// is not there.
func (h *home) metric(name string) float64 {
	h.t.Helper()
	text := h.ok("ctl", "get", "--raw", "/metrics/controllers")
	match := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(name) + " (.+)$").FindStringSubmatch(text)
	if match == nil {
		return 0
	}
	value, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		h.t.Fatal(err)
	}
	return value
}
