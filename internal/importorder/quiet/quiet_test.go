// SPDX-License-Identifier: Apache-2.0

package quiet_test

import (
	"bytes"
	"runtime/pprof"
	"testing"
	"testing/synctest"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue" // its metrics set a provider

	_ "github.com/rancher-sandbox/rancher-desktop-daemon/internal/importorder/quiet"
)

// TestQueues: a new client-go may silently break this package, so that queues tick.
func TestQueues(t *testing.T) {
	var options *priorityqueue.Opts[string]
	priorityqueue.New("", func(o *priorityqueue.Opts[string]) { options = o }).ShutDown()
	for _, tt := range []struct {
		name     string
		provider workqueue.MetricsProvider
		ticks    bool
	}{
		{"a library's queue", nil, false},
		{"a queue with a provider", options.MetricProvider, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Name: "q", MetricsProvider: tt.provider})
				defer queue.ShutDown()
				synctest.Wait()
				if got := ticking(t); got != tt.ticks {
					t.Errorf("it ticks: %t, want %t", got, tt.ticks)
				}
			})
		})
	}
}

// ticking reports whether a queue of this process measures work in progress.
func ticking(t *testing.T) bool {
	t.Helper()
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(stacks.Bytes(), []byte("updateUnfinishedWorkLoop"))
}
