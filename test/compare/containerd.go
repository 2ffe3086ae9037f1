// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// DiffContainerd is [Diff] for a containerd, in all of its namespaces.
func DiffContainerd(ctx context.Context, containerd *client.Client, kube ctrlclient.Reader, namespace, engineName string) (string, error) {
	want, err := Containerd(ctx, containerd, engineName)
	if err != nil {
		return "", err
	}
	have, err := Mirrors(ctx, kube, namespace, engineName)
	if err != nil {
		return "", err
	}
	return cmp.Diff(want, have), nil
}

// Containerd asks containerd's own client.
func Containerd(ctx context.Context, containerd *client.Client, engineName string) (map[string]Fields, error) {
	objects := map[string]Fields{}
	all, err := containerd.NamespaceService().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, namespace := range all {
		objects["namespace "+namespace] = Fields{}
		ctx := namespaces.WithNamespace(ctx, namespace)
		records, err := containerd.ImageService().List(ctx)
		if err != nil {
			return nil, err
		}
		if err := containerdImages(ctx, containerd, engineName, namespace, records, objects); err != nil {
			return nil, err
		}
		list, err := containerd.ContainerService().List(ctx)
		if err != nil {
			return nil, err
		}
		for i := range list {
			f, err := containerdContainer(ctx, containerd, &list[i], records)
			if err != nil {
				return nil, err
			}
			objects["container "+containersv1alpha1.NamespacedContainerName(engineName, namespace, list[i].ID)] = f
		}
	}
	return objects, nil
}

func containerdContainer(ctx context.Context, containerd *client.Client, c *containers.Container, records []images.Image) (Fields, error) {
	var spec specs.Spec
	if err := json.Unmarshal(c.Spec.GetValue(), &spec); err != nil {
		return nil, err
	}
	f := Fields{
		"name": c.ID, "imageName": c.Image, "path": spec.Process.Args[0], "args": fmt.Sprint(spec.Process.Args[1:]), "labels": text(c.Labels),
		"status": "created", "pid": "0", "exitCode": "0", "restartCount": "0", "createdAt": whole(c.CreatedAt.Format(time.RFC3339Nano)),
		"composeProject": c.Labels["com.docker.compose.project"], "restartPolicy": c.Labels["containerd.io/restart.policy"],
	}
	for _, record := range records {
		if record.Name == c.Image {
			f["image"] = record.Target.Digest.String()
		}
	}
	var mounts []string
	for _, mount := range spec.Mounts {
		if slices.Contains(mount.Options, "rbind") {
			mounts = append(mounts, fmt.Sprintf("bind  %s %v", mount.Destination, !slices.Contains(mount.Options, "ro")))
		}
	}
	f["mounts"] = sorted(mounts)
	running, paused := false, false
	state, err := taskOf(ctx, containerd, c.ID)
	if err != nil {
		return nil, err
	}
	if state != nil {
		switch state.Status.Status {
		case client.Running, client.Pausing, client.Paused:
			running, paused = true, state.Status.Status == client.Paused
			f["status"], f["pid"] = string(state.Status.Status), fmt.Sprint(state.pid)
		case client.Stopped:
			f["status"], f["exitCode"] = "exited", fmt.Sprint(state.ExitStatus)
			f["finishedAt"] = whole(state.ExitTime.Format(time.RFC3339Nano))
		}
	}
	f["conditions"] = fmt.Sprintf("Dead=false OOMKilled=false Paused=%v Restarting=false Running=%v", paused, running)
	return f.clean(), nil
}

type taskState struct {
	client.Status
	pid uint32
}

// taskOf returns how a container's task is, nil for none.
func taskOf(ctx context.Context, containerd *client.Client, id string) (*taskState, error) {
	container, err := containerd.LoadContainer(ctx, id)
	if err != nil {
		return nil, err
	}
	task, err := container.Task(ctx, nil)
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	status, err := task.Status(ctx)
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	return &taskState{status, task.Pid()}, err
}

func containerdImages(ctx context.Context, containerd *client.Client, engineName, namespace string, records []images.Image, objects map[string]Fields) error {
	tags := map[string][]string{}
	targets := map[string]images.Image{}
	for _, record := range records {
		id := record.Target.Digest.String()
		targets[id] = record
		if !strings.Contains(record.Name, "@") {
			tags[id] = append(tags[id], record.Name)
		}
	}
	for id, record := range targets {
		size, err := client.NewImage(containerd, record).Size(ctx)
		if err != nil {
			return fmt.Errorf("size of %s: %w", record.Name, err)
		}
		config, err := client.NewImage(containerd, record).Spec(ctx)
		if err != nil {
			return fmt.Errorf("configuration of %s: %w", record.Name, err)
		}
		f := Fields{"id": id, "size": fmt.Sprint(size), "labels": text(config.Config.Labels), "createdAt": ""}
		if config.Created != nil {
			f["createdAt"] = whole(config.Created.Format(time.RFC3339Nano))
		}
		for _, tag := range append(tags[id], "") {
			if tag == "" && len(tags[id]) > 0 {
				continue
			}
			tagged := Fields{"repoTag": tag}
			for key, value := range f {
				tagged[key] = value
			}
			objects["image "+containersv1alpha1.NamespacedImageName(engineName, namespace, id, tag)] = tagged
		}
	}
	return nil
}
