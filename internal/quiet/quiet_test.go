// SPDX-License-Identifier: Apache-2.0

package quiet_test

import (
	"bytes"
	"runtime/pprof"
	"testing"

	"k8s.io/client-go/util/workqueue"
	_ "sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue" // sets a provider

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/quiet"
)

// A new client-go may break this package in silence: its queues would tick.
func TestQueues(t *testing.T) {
	queue := func() workqueue.TypedInterface[string] {
		return workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Name: "of a library"})
	}
	before := queue()
	if !ticking(t) {
		t.Error("client-go's queues don't tick any more: this package has nothing to do")
	}
	before.ShutDown()
	quiet.Queues()
	after := queue()
	defer after.ShutDown()
	if ticking(t) {
		t.Error("a queue of a library ticks")
	}
}

// ticking reports whether a queue of this process measures work under way.
func ticking(t *testing.T) bool {
	t.Helper()
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(stacks.Bytes(), []byte("updateUnfinishedWorkLoop"))
}
