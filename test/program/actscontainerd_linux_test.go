// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/core/events"
	"google.golang.org/protobuf/proto"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// TestNoActIsLostOrDoneTwiceByContainerd is TestNoActIsLostOrDoneTwice with an
// engine for which an act is several calls, between any of which the daemon may
// be killed.
func TestNoActIsLostOrDoneTwiceByContainerd(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]containerd.Program{"Debian": containerd.Debian, "Newest": containerd.Newest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := containerd.Start(t, program)
			hands := engine.Hands()
			acted := actedOn{
				settings: []string{"containerEngine.name=containerd", "containerEngine.endpoint=" + engine.Endpoint()},
				left: func() []string {
					list, err := engine.Client.ContainerService().List(containerd.In(context.WithoutCancel(t.Context()), containerd.Namespace))
					return []string{fmt.Sprint(len(list)), fmt.Sprint(err)}
				},
			}
			acted.counts = countContainerdEvents(t, engine)
			var plans []*plan
			for i := range 4 {
				id := fmt.Sprint("acts-", i)
				if err := hands.Create(t.Context(), id, containerd.Image, []string{"sleep", "10000"}, nil); err != nil {
					t.Fatal(err)
				}
				if err := hands.Start(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				p := newPlan(id, containersv1alpha1.NamespacedContainerName("containerd", containerd.Namespace, id))
				p.ends, p.calm, p.want["start"] = true, i%2 == 0, 1
				plans = append(plans, p)
			}
			actThroughKills(t, acted, plans, rounds(t, 12, 2))
		})
	}
}

// countContainerdEvents counts what a containerd does to each container from now
// on, by the words of Docker.
func countContainerdEvents(t *testing.T, engine *containerd.Engine) *eventCounts {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	messages, errs := engine.Client.EventService().Subscribe(ctx)
	c := &eventCounts{by: map[string]map[string]int{}}
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	running := map[uint32]bool{}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case message := <-messages:
				begin()
				if id, act := containerdAct(message, running); act != "" {
					c.add(id, act)
				}
			case err := <-errs:
				if ctx.Err() == nil {
					t.Errorf("the test's own event stream broke: %v", err)
				}
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); reading.Wait() })
	for i := 0; ; i++ { // only an event tells that the stream has begun
		if err := engine.Client.NamespaceService().SetLabel(containerd.In(ctx, containerd.Namespace), containerd.Namespace, "knock", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-begun:
			return c
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// containerdAct returns what an event tells of, empty for nothing that counts.
// running are the processes that were started: an end may be reported twice, or be
// that of a task which was made and never started.
func containerdAct(message *events.Envelope, running map[uint32]bool) (id, act string) {
	value := message.Event.GetValue()
	var event api.ContainerDelete // all have the container's ID in the same field
	_ = proto.Unmarshal(value, &event)
	switch message.Topic {
	case "/tasks/start":
		var start api.TaskStart
		_ = proto.Unmarshal(value, &start)
		running[start.GetPid()] = true
		act = "start"
	case "/tasks/exit":
		var exit api.TaskExit
		_ = proto.Unmarshal(value, &exit)
		if running[exit.GetPid()] {
			act = "stop"
		}
		delete(running, exit.GetPid())
	case "/tasks/paused":
		act = "pause"
	case "/tasks/resumed":
		act = "unpause"
	case "/containers/delete":
		act = "destroy"
	}
	return event.GetID(), act
}
