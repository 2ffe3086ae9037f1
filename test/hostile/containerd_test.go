// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"context"
	"testing"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/containerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/hostile"
)

// TestContainerd is [TestMoby] with containerd's API.
func TestContainerd(t *testing.T) {
	t.Parallel()
	upstream := hostile.Containerd()
	for _, op := range containerdOperations() {
		for _, surface := range op.surfaces {
			t.Run(op.name+"/"+name(surface), func(t *testing.T) {
				t.Parallel()
				for _, answer := range hostile.ContainerdAnswers() {
					t.Run(answer.Name, func(t *testing.T) {
						proxy := hostile.Start(t, upstream, true)
						e, err := containerd.New(containerd.Config{Endpoint: proxy.Endpoint()})
						if err != nil {
							t.Fatal(err)
						}
						defer func() { _ = e.Close() }()
						attack(t, proxy, e, op, surface, answer)
					})
				}
			})
		}
	}
}

// TestContainerdGood has all operations succeed where nothing is attacked: else
// what fails in [TestContainerd] would fail anyhow.
func TestContainerdGood(t *testing.T) {
	t.Parallel()
	proxy := hostile.Start(t, hostile.Containerd(), true)
	e, err := containerd.New(containerd.Config{Endpoint: proxy.Endpoint()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	for _, op := range containerdOperations() {
		if op.endless || op.name == "Act" {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), callLimit)
		if result := op.run(ctx, e); result.err != nil {
			t.Errorf("%s: %v", op.name, result.err)
		}
		cancel()
	}
}

func containerdOperations() []operation {
	containerKey := engine.Key{Kind: engine.KindContainer, Namespace: hostile.ContainerdNamespace, ID: hostile.ContainerID}
	imageKey := engine.Key{Kind: engine.KindImage, Namespace: hostile.ContainerdNamespace, ID: hostile.ImageDigest}
	namespaceKey := engine.Key{Kind: engine.KindNamespace, ID: hostile.ContainerdNamespace}
	pullImage := func(ctx context.Context, e engine.Engine) outcome {
		_, err := e.(engine.Puller).Pull(ctx, hostile.ContainerdNamespace, hostile.ImageName, func(containersv1alpha1.PullProgress) {})
		return outcome{err: err}
	}
	return []operation{
		{name: "Info", surfaces: []string{hostile.ContainerdVersion, hostile.Server, hostile.Plugins}, run: info},
		{name: "Namespaces", surfaces: []string{hostile.Namespaces}, run: list(engine.KindNamespace)},
		{name: "Containers", surfaces: []string{hostile.Namespaces, hostile.Containers, hostile.Tasks, hostile.Images, hostile.CRIStatus}, run: list(engine.KindContainer)},
		{name: "Images", surfaces: []string{hostile.Namespaces, hostile.Images}, run: list(engine.KindImage)},
		{name: "Container", surfaces: []string{hostile.GetContainer, hostile.GetTask, hostile.GetImage}, run: inspect(containerKey)},
		{name: "Image", surfaces: []string{hostile.Images, hostile.ContentRead}, run: inspect(imageKey)},
		{name: "Namespace", surfaces: []string{hostile.Namespaces}, run: inspect(namespaceKey)},
		{name: "Watch", surfaces: []string{hostile.Subscribe, hostile.Publish}, endless: true, run: watch},
		{name: "Pull", surfaces: []string{hostile.Streaming, hostile.Transfer}, endless: true, run: pullImage},
		{name: "RemoveContainer", surfaces: []string{hostile.GetContainer, hostile.KillTask, hostile.WaitTask, hostile.DeleteTask, hostile.DeleteContainer, hostile.RemoveSnapshot},
			statusOnly: true, run: remove(containerKey, "")},
		{name: "RemoveImage", surfaces: []string{hostile.Images, hostile.DeleteImage}, statusOnly: true, run: remove(imageKey, hostile.ImageName)},
		{name: "Act", surfaces: []string{hostile.PauseTask}, statusOnly: true, run: act(containerKey, containersv1alpha1.ActionPause)},
		{name: "Act", surfaces: []string{hostile.KillTask}, statusOnly: true, run: act(containerKey, containersv1alpha1.ActionStop)},
	}
}
