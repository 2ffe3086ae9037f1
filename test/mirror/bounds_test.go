// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// deepInspects is how many objects of a kind each comparison inspects though nothing seems to have changed.
const deepInspects = 16

// TestWhatIsTooLargeIsMirroredWithinBounds: what the API server would refuse, or keep with much room, has a mirror that says what it lacks. At later comparisons
// it is neither inspected nor written, as are containers that a list never shows as an inspection does.
func TestWhatIsTooLargeIsMirroredWithinBounds(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	e := newEnv(t, docker, engine.Endpoint())
	add := func(name string, config container.Config, host container.HostConfig) string {
		t.Helper()
		config.Image = busyboxImage
		id, err := engine.AddContainer(name, container.CreateRequest{Config: &config, HostConfig: &host})
		e.must(err)
		return id
	}
	many := map[string]string{}
	for i := range 2000 {
		many[fmt.Sprintf("label-%04d", i)] = strings.Repeat("x", 2<<10)
	}
	all, published := network.PortSet{}, network.PortMap{}
	for number := range manyPorts {
		port, _ := network.PortFrom(uint16(number+1), network.TCP)
		all[port] = struct{}{}
		published[port] = []network.PortBinding{{HostPort: strconv.Itoa(number + 1)}}
	}
	type want struct {
		truncated string // what the condition names; empty for no condition
		ports     string
	}
	wants := map[string]want{
		add("label-of-4-MB", container.Config{Labels: map[string]string{"big": strings.Repeat("x", 4<<20)}}, container.HostConfig{}): {truncated: "labels (values cut: 1)"},
		add("2000-labels", container.Config{Labels: many}, container.HostConfig{}):                                                   {truncated: "labels (values cut: 2000, left out: "},
		add("exposed", container.Config{ExposedPorts: all}, container.HostConfig{}):                                                  {ports: fmt.Sprintf("1-%d/tcp", manyPorts)},
		add("published", container.Config{}, container.HostConfig{PortBindings: published}):                                          {ports: fmt.Sprintf("0.0.0.0:1-%d->1-%d/tcp", manyPorts, manyPorts)},
		add("year-10000", container.Config{}, container.HostConfig{}):                                                                {truncated: "createdAt (not a time"},
	}
	for id, want := range wants {
		if strings.HasPrefix(want.truncated, "createdAt") {
			engine.SetCreated(id, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		if strings.HasPrefix(want.ports, "0.0.0.0") {
			e.must(e.hands.Start(t.Context(), id))
		}
	}
	for _, id := range engine.AddContainers(20, fakedocker.ContainerOptions{Image: busyboxImage, Running: true, Ports: 1}) {
		engine.ListWithoutAddresses(id)
	}
	engine.AddContainers(2*deepInspects, fakedocker.ContainerOptions{Image: busyboxImage})

	ce := e.connect("moby")
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0) // an inspection of megabytes may take longer than the first list
	for id, want := range wants {
		var c containersv1alpha1.Container
		e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: id}, &c))
		status, err := json.Marshal(c.Status)
		e.must(err)
		condition := apimeta.FindStatusCondition(c.Status.Conditions, containersv1alpha1.ConditionTruncated)
		switch {
		case len(status) > 128<<10:
			t.Errorf("%s: a status of %d bytes", c.Status.Name, len(status))
		case want.truncated == "" && condition != nil:
			t.Errorf("%s: %+v", c.Status.Name, condition)
		case want.truncated != "" && (condition == nil || condition.Status != "True" || !strings.Contains(condition.Message, want.truncated)):
			t.Errorf("%s: Truncated is %+v, want %s", c.Status.Name, condition, want.truncated)
		case want.ports != "" && c.Status.PortSummary != want.ports:
			t.Errorf("%s: the ports %.200s, want %s", c.Status.Name, c.Status.PortSummary, want.ports)
		}
	}

	e.setResync(ce, time.Second)
	lists := func() int { return engine.Requests()[string(fakedocker.Containers)] }
	wait := func(n int) {
		t.Helper()
		e.eventually(fmt.Sprintf("%d lists", n), func() (bool, string) { return lists() >= n, strconv.Itoa(lists()) })
	}
	wait(lists() + 2) // each is inspected once more
	const comparisons = 3
	const inspects = "GET /containers/{id}/json"
	began, before, versions := lists(), engine.Requests()[inspects], e.versions()
	wait(began + comparisons)
	if n := engine.Requests()[inspects] - before; n > deepInspects*(comparisons+1) {
		t.Errorf("%d inspections of containers at %d comparisons, want %d at each", n, comparisons, deepInspects)
	}
	if after := e.versions(); !maps.Equal(versions, after) {
		t.Error("mirrors of containers that did not change were written")
	}
}
