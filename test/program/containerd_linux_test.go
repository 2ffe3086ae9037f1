// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"testing"

	"github.com/containerd/containerd/v2/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// TestContainerd: an App with a containerd settles, and the commands work with
// its containers.
func TestContainerd(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine := containerd.Start(t, containerd.Debian)
	ctx := containerd.In(context.WithoutCancel(t.Context()), containerd.Namespace)
	hands := engine.Hands()
	if err := hands.Create(ctx, "web", containerd.Image, []string{"sh", "-c", "echo hello; exec sleep 1000"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := hands.Start(ctx, "web"); err != nil {
		t.Fatal(err)
	}

	h.ok("set", "running=true", "containerEngine.name=containerd", "containerEngine.endpoint="+engine.Endpoint())
	if got := h.ok("ctl", "get", "app", "app", "-o", "jsonpath={.status.conditions[?(@.type=='Settled')].reason} "+
		"{.status.conditions[?(@.type=='ContainerEngineReady')].reason} {.status.dockerSocket}"); got != "Settled Connected " {
		t.Errorf("the App is %q", got)
	}
	contains(t, h.ok("ps"), "web", "Up ", "rancher-desktop/containerd")
	contains(t, h.ok("ctl", "get", "containernamespaces", "-n", "rancher-desktop"), containerd.Namespace)
	if got := h.ok("logs", "web"); got != "hello\n" {
		t.Errorf("the log is %q", got)
	}
	if got := h.ok("exec", "web", "echo", "in it"); got != "in it\n" {
		t.Errorf("exec wrote %q", got)
	}
	h.ok("stop")
	if left := h.ok("ctl", "get", "containers", "-A", "-o", "name"); left != "" {
		t.Errorf("mirrors are left after `rdd stop`: %s", left)
	}
	_, task, err := hands.Load(ctx, "web")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := task.Status(ctx); err != nil || status.Status != client.Running {
		t.Errorf("the container after `rdd stop`: %+v, %v", status, err)
	}
}
