// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/oci"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/compare"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// TestSoakContainerd is TestSoak with two containerds, years apart.
func TestSoakContainerd(t *testing.T) {
	t.Parallel()
	soakThrough(t, soakContainerd(t, "debian", containerd.Debian), soakContainerd(t, "newest", containerd.Newest))
}

func soakContainerd(t *testing.T, name string, program containerd.Program) *soaked {
	engine := containerd.Start(t, program)
	proxy := containerd.StartProxy(t, engine)
	methods := []string{"containers.v1.Containers/ListStream", "images.v1.Images/List", "namespaces.v1.Namespaces/List",
		"tasks.v1.Tasks/List", "containers.v1.Containers/Get", "tasks.v1.Tasks/Get", "containers.v1.Containers/Delete"}
	return &soaked{
		name: name, engineType: containersv1alpha1.EngineContainerd, endpoint: proxy.Endpoint(),
		act: func(ctx context.Context, r *rand.Rand) { containerdSide(ctx, r, engine) },
		diff: func(ctx context.Context, kube ctrlclient.Reader) (string, error) {
			return compare.DiffContainerd(ctx, engine.Client, kube, namespace, name)
		},
		heal: func() {
			proxy.LoseEvents(false)
			for _, method := range methods {
				proxy.Fail(method, 0)
			}
			for i := range soakNamespaces {
				emptyNamespace(context.WithoutCancel(t.Context()), engine.Client, soakNamespace(i))
			}
		},
		fault: func(r *rand.Rand) {
			switch r.IntN(7) {
			case 0:
				engine.Kill()
				engine.Start()
				proxy.SetTarget(engine) // else its connection would wait, longer each time
			case 1, 2:
				if shims := engine.Shims(); len(shims) > 0 {
					_ = syscall.Kill(shims[r.IntN(len(shims))], syscall.SIGKILL)
				}
			case 3, 4:
				proxy.Cut()
			case 5:
				proxy.Fail(methods[r.IntN(len(methods))], 1+r.IntN(5))
			case 6:
				proxy.LoseEvents(true)
				time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
				proxy.LoseEvents(false)
			}
		},
	}
}

// soakNamespaces is how many namespaces come and go.
const soakNamespaces = 3

func soakNamespace(i int) string { return fmt.Sprintf("soak-%d", i) }

// containerdSide does one thing through containerd's own client.
func containerdSide(ctx context.Context, r *rand.Rand, engine *containerd.Engine) {
	hands, d := engine.Hands(), engine.Client
	name, elsewhere := fmt.Sprintf("soak-%d", r.IntN(30)), soakNamespace(r.IntN(soakNamespaces))
	list, err := d.ContainerService().List(containerd.In(ctx, containerd.Namespace))
	if err != nil {
		return
	}
	if len(list) == 0 || len(list) < soakLimit && r.IntN(3) == 0 {
		_ = hands.Create(ctx, name, containerd.Image, []string{"sleep", "10000"}, nil)
		return
	}
	id := list[r.IntN(len(list))].ID
	switch r.IntN(14) {
	case 0, 1, 2:
		_ = hands.Start(ctx, id)
	case 3:
		_ = hands.Kill(ctx, id)
	case 4:
		_ = hands.Pause(ctx, id)
	case 5:
		_ = hands.Unpause(ctx, id)
	case 6, 7:
		_ = hands.Remove(ctx, id)
	case 8, 9:
		_ = hands.Tag(ctx, containerd.Image, "soak/"+name+":1")
	case 10:
		_ = hands.Untag(ctx, "soak/"+name+":1")
	case 11:
		_ = d.NamespaceService().Create(ctx, elsewhere, map[string]string{"soak": name})
	case 12:
		_, _ = d.NewContainer(containerd.In(ctx, elsewhere), name, client.WithNewSpec(oci.WithProcessArgs("true")))
	case 13:
		emptyNamespace(ctx, d, elsewhere)
	}
}

// emptyNamespace removes a namespace, and the containers in it.
func emptyNamespace(ctx context.Context, d *client.Client, name string) {
	scoped := containerd.In(ctx, name)
	list, _ := d.ContainerService().List(scoped)
	for i := range list {
		_ = d.ContainerService().Delete(scoped, list[i].ID)
	}
	_ = d.NamespaceService().Delete(ctx, name)
}
