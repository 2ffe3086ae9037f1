// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

const (
	// CRINamespace is where the CRI plugin has all that is its own.
	CRINamespace = "k8s.io"
	// CRIImage is in an engine with the CRI: what pods and their containers run.
	CRIImage = "registry.example.com/busybox:1"
)

// criConfiguration is for pods in the machine's own network: no plugins for
// networks are needed. Nothing listens for streams, because no test asks for one.
const criConfiguration = `[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`

// connectCRI waits until the CRI plugin serves, and knows its image.
func (e *Engine) connectCRI() {
	e.tb.Helper()
	conn, err := grpc.NewClient("unix:"+e.path("c.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		e.tb.Fatal(err)
	}
	e.tb.Cleanup(func() { _ = conn.Close() })
	e.CRI = cri.NewRuntimeServiceClient(conn)
	images := cri.NewImageServiceClient(conn)
	ctx, cancel := context.WithTimeout(e.tb.Context(), time.Minute)
	defer cancel()
	for {
		status, err := images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: CRIImage}}, grpc.WaitForReady(true))
		if err == nil && status.GetImage() != nil {
			return
		}
		select {
		case <-ctx.Done():
			e.tb.Fatalf("the CRI plugin does not know the image: %v", err)
		case <-time.After(poll):
		}
	}
}

// Pod makes a pod in the machine's network. Its containers write their logs into
// a directory of the engine.
func (e *Engine) Pod(ctx context.Context, namespace, name string, labels map[string]string) (id string, config *cri.PodSandboxConfig, err error) {
	config = &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Namespace: namespace, Uid: "uid-" + name},
		LogDirectory: filepath.Join(e.dir, "logs", name),
		Labels:       labels,
		Linux: &cri.LinuxPodSandboxConfig{SecurityContext: &cri.LinuxSandboxSecurityContext{
			NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE},
		}},
	}
	response, err := e.CRI.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config})
	return response.GetPodSandboxId(), config, err
}

// InPod makes a container in a pod, which is not started.
func (e *Engine) InPod(
	ctx context.Context, pod string, config *cri.PodSandboxConfig, name string, labels, annotations map[string]string, command ...string,
) (id string, err error) {
	response, err := e.CRI.CreateContainer(ctx, &cri.CreateContainerRequest{PodSandboxId: pod, SandboxConfig: config, Config: &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name}, Image: &cri.ImageSpec{Image: CRIImage}, Command: command,
		Labels: labels, Annotations: annotations, LogPath: name + ".log",
	}})
	return response.GetContainerId(), err
}

// removePods removes all pods, and what is in them.
func (e *Engine) removePods() {
	if e.CRI == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), realengine.StopTimeout)
	defer cancel()
	list, _ := e.CRI.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	for _, pod := range list.GetItems() {
		_, _ = e.CRI.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.GetId()})
		_, _ = e.CRI.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.GetId()})
	}
}
