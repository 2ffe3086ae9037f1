// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

// BenchmarkFloor is the processors' time that the API server takes for each write
// of a container's life, with no engine, no controller and no watcher of the
// containers: what RDD does can't cost less.
func BenchmarkFloor(b *testing.B) {
	control := controlplanetest.Start(b)
	control.Install(manager.Definitions(mirror.Controllers(open.Drivers())))
	scheme := runtime.NewScheme()
	if err := containersv1alpha1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	kube, err := ctrlclient.New(control.Server.ClientConfig(), ctrlclient.Options{Scheme: scheme})
	if err != nil {
		b.Fatal(err)
	}
	steps := []struct {
		name  string
		write func(context.Context, *containersv1alpha1.Container) error
	}{
		{"create", func(ctx context.Context, c *containersv1alpha1.Container) error { return kube.Create(ctx, c) }},
		{"status", func(ctx context.Context, c *containersv1alpha1.Container) error {
			c.Status = runningStatus(c.Name)
			return kube.Status().Update(ctx, c)
		}},
		{"release", func(ctx context.Context, c *containersv1alpha1.Container) error {
			before := c.DeepCopy()
			c.Finalizers = nil
			return kube.Patch(ctx, c, ctrlclient.MergeFromWithOptions(before, ctrlclient.MergeFromWithOptimisticLock{}))
		}},
		{"delete", func(ctx context.Context, c *containersv1alpha1.Container) error { return kube.Delete(ctx, c) }},
	}
	const together = 100
	spent := make([]time.Duration, len(steps))
	lives := 0
	for b.Loop() {
		batch := make([]*containersv1alpha1.Container, together)
		for i := range batch {
			batch[i] = &containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: fmt.Sprintf("%064x", lives), Finalizers: []string{containersv1alpha1.MirrorFinalizer},
				Labels: map[string]string{containersv1alpha1.EngineLabel: "moby"},
			}}
			lives++
		}
		for i, step := range steps {
			before := processorTime(b)
			for _, c := range batch {
				if err := step.write(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
			spent[i] += processorTime(b) - before
		}
	}
	for i, step := range steps {
		b.ReportMetric(spent[i].Seconds()*1000/float64(lives), "cpu-ms/"+step.name)
	}
}

// runningStatus is that of an ordinary container.
func runningStatus(id string) containersv1alpha1.ContainerStatus {
	now := metav1.Now()
	condition := func(kind string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: kind, LastTransitionTime: now}
	}
	return containersv1alpha1.ContainerStatus{
		Name: "web", Namespace: "moby", Image: "sha256:" + id, ImageName: "nginx:latest", Path: "nginx", Args: []string{"-g", "daemon off;"},
		Labels: map[string]string{"maintainer": "user"}, Status: containersv1alpha1.PhaseRunning, PID: 4711,
		CreatedAt: &now, StartedAt: &now, PortSummary: "127.0.0.1:8080->80/tcp",
		Networks: []containersv1alpha1.NetworkAttachment{{Name: "bridge"}}, RestartPolicy: "no",
		Conditions: []metav1.Condition{condition("Running", metav1.ConditionTrue), condition("Paused", metav1.ConditionFalse),
			condition("Restarting", metav1.ConditionFalse), condition("OOMKilled", metav1.ConditionFalse), condition("Dead", metav1.ConditionFalse)},
	}
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
