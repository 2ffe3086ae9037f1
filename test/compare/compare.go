// SPDX-License-Identifier: Apache-2.0

// Package compare tells whether mirrors are what an engine has, for tests: it
// asks the Docker API and the API server, and none of the code under test.
package compare

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Fields is what is compared of an object, as text: what the engine says on one
// side, what the mirror says on the other.
type Fields map[string]string

// Diff returns how the mirrors in a namespace differ from the engine that they
// are of, empty where they don't: not more, not less, and every field. engineName
// is the ContainerEngine's.
func Diff(ctx context.Context, docker *client.Client, kube ctrlclient.Reader, namespace, engineName string) (string, error) {
	want, err := Engine(ctx, docker, engineName)
	if err != nil {
		return "", err
	}
	have, err := Mirrors(ctx, kube, namespace, engineName)
	if err != nil {
		return "", err
	}
	return cmp.Diff(want, have), nil
}

// Engine asks the Docker API itself.
func Engine(ctx context.Context, docker *client.Client, engineName string) (map[string]Fields, error) {
	objects := map[string]Fields{"namespace moby": {}}
	containers, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, err
	}
	for _, summary := range containers.Items {
		result, err := docker.ContainerInspect(ctx, summary.ID, client.ContainerInspectOptions{})
		if cerrdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		objects["container "+summary.ID] = engineContainer(&result.Container)
	}
	images, err := docker.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return nil, err
	}
	for _, image := range images.Items {
		tags := slices.DeleteFunc(slices.Clone(image.RepoTags), func(tag string) bool { return tag == "<none>:<none>" || strings.Contains(tag, "@") })
		if len(tags) == 0 {
			tags = []string{""}
		}
		for _, tag := range tags {
			objects["image "+containersv1alpha1.ImageName(engineName, image.ID, tag)] = Fields{
				"id": image.ID, "repoTag": tag, "size": fmt.Sprint(image.Size), "labels": text(image.Labels),
				"createdAt": time.Unix(image.Created, 0).UTC().Format(time.RFC3339),
			}
		}
	}
	volumes, err := docker.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, err
	}
	for _, volume := range volumes.Items {
		objects["volume "+containersv1alpha1.VolumeName(engineName, volume.Name)] = Fields{
			"name": volume.Name, "driver": volume.Driver, "mountpoint": volume.Mountpoint, "scope": volume.Scope,
			"labels": text(volume.Labels), "options": text(volume.Options), "createdAt": whole(volume.CreatedAt),
		}
	}
	return objects, addNetworks(ctx, docker, engineName, objects)
}

func engineContainer(c *container.InspectResponse) Fields {
	f := Fields{
		"name": strings.TrimPrefix(c.Name, "/"), "image": c.Image, "imageName": c.Config.Image, "path": c.Path, "args": fmt.Sprint(c.Args),
		"labels": text(c.Config.Labels), "status": string(c.State.Status), "pid": fmt.Sprint(c.State.Pid), "exitCode": fmt.Sprint(c.State.ExitCode),
		"error": c.State.Error, "createdAt": whole(c.Created), "startedAt": whole(c.State.StartedAt), "finishedAt": whole(c.State.FinishedAt),
		"restartCount": fmt.Sprint(c.RestartCount), "composeProject": c.Config.Labels["com.docker.compose.project"],
		"conditions": fmt.Sprintf("Dead=%v OOMKilled=%v Paused=%v Restarting=%v Running=%v",
			c.State.Dead, c.State.OOMKilled, c.State.Paused, c.State.Restarting, c.State.Running),
	}
	if c.State.Health != nil && c.State.Health.Status != container.NoHealthcheck {
		f["health"] = string(c.State.Health.Status)
	}
	f["restartPolicy"] = string(c.HostConfig.RestartPolicy.Name)
	if n := c.HostConfig.RestartPolicy.MaximumRetryCount; n > 0 {
		f["restartPolicy"] += fmt.Sprintf(":%d", n)
	}
	var ports, networks, mounts []string
	for port := range c.Config.ExposedPorts {
		if len(c.NetworkSettings.Ports[port]) == 0 {
			ports = append(ports, port.String())
		}
	}
	for port, bindings := range c.NetworkSettings.Ports {
		for _, binding := range bindings {
			ports = append(ports, fmt.Sprintf("%s=%s:%s", port, binding.HostIP, binding.HostPort))
		}
		if _, exposed := c.Config.ExposedPorts[port]; len(bindings) == 0 && !exposed {
			ports = append(ports, port.String())
		}
	}
	for name, endpoint := range c.NetworkSettings.Networks {
		address := ""
		if endpoint.IPAddress.IsValid() {
			address = endpoint.IPAddress.String()
		}
		networks = append(networks, name+"="+address)
	}
	for _, mount := range c.Mounts {
		mounts = append(mounts, fmt.Sprintf("%s %s %s %v", mount.Type, mount.Name, mount.Destination, mount.RW))
	}
	f["ports"], f["networks"], f["mounts"] = sorted(ports), sorted(networks), sorted(mounts)
	return f.clean()
}

// Mirrors reads the objects that bear the engine's label.
func Mirrors(ctx context.Context, kube ctrlclient.Reader, namespace, engineName string) (map[string]Fields, error) {
	var containers containersv1alpha1.ContainerList
	var images containersv1alpha1.ImageList
	var volumes containersv1alpha1.VolumeList
	var networks containersv1alpha1.NetworkList
	var namespaces containersv1alpha1.ContainerNamespaceList
	for _, list := range []ctrlclient.ObjectList{&containers, &images, &volumes, &networks, &namespaces} {
		if err := kube.List(ctx, list, ctrlclient.InNamespace(namespace), ctrlclient.MatchingLabels{containersv1alpha1.EngineLabel: engineName}); err != nil {
			return nil, err
		}
	}
	objects := map[string]Fields{}
	for i := range containers.Items {
		objects["container "+containers.Items[i].Name] = Container(&containers.Items[i].Status)
	}
	for i := range images.Items {
		objects["image "+images.Items[i].Name] = Image(&images.Items[i].Status)
	}
	for i := range volumes.Items {
		objects["volume "+volumes.Items[i].Name] = Volume(&volumes.Items[i].Status)
	}
	for i := range networks.Items {
		objects["network "+networks.Items[i].Name] = Network(&networks.Items[i].Status)
	}
	for _, n := range namespaces.Items {
		objects["namespace "+n.Status.Name] = Fields{}
	}
	return objects, nil
}

// Image returns what is compared of an Image.
func Image(s *containersv1alpha1.ImageStatus) Fields {
	return Fields{
		"id": s.ID, "repoTag": s.RepoTag, "size": fmt.Sprint(s.Size), "labels": text(s.Labels), "createdAt": stamp(s.CreatedAt),
	}
}

// Volume returns what is compared of a Volume.
func Volume(s *containersv1alpha1.VolumeStatus) Fields {
	return Fields{
		"name": s.Name, "driver": s.Driver, "mountpoint": s.Mountpoint, "scope": s.Scope,
		"labels": text(s.Labels), "options": text(s.Options), "createdAt": stamp(s.CreatedAt),
	}
}

// Container returns what is compared of a Container.
func Container(s *containersv1alpha1.ContainerStatus) Fields {
	f := Fields{
		"name": s.Name, "image": s.Image, "imageName": s.ImageName, "path": s.Path, "args": fmt.Sprint(s.Args),
		"labels": text(s.Labels), "status": string(s.Status), "pid": fmt.Sprint(s.PID), "exitCode": fmt.Sprint(s.ExitCode),
		"error": s.Error, "createdAt": stamp(s.CreatedAt), "startedAt": stamp(s.StartedAt), "finishedAt": stamp(s.FinishedAt),
		"restartCount": fmt.Sprint(s.RestartCount), "composeProject": s.ComposeProject, "health": s.Health, "restartPolicy": s.RestartPolicy,
		"conditions": fmt.Sprintf("Dead=%v OOMKilled=%v Paused=%v Restarting=%v Running=%v",
			apimeta.IsStatusConditionTrue(s.Conditions, "Dead"), apimeta.IsStatusConditionTrue(s.Conditions, "OOMKilled"),
			apimeta.IsStatusConditionTrue(s.Conditions, "Paused"), apimeta.IsStatusConditionTrue(s.Conditions, "Restarting"),
			apimeta.IsStatusConditionTrue(s.Conditions, "Running")),
	}
	var ports, networks, mounts []string
	for _, port := range s.Ports {
		if len(port.Bindings) == 0 {
			ports = append(ports, port.Name)
		}
		for _, binding := range port.Bindings {
			ports = append(ports, fmt.Sprintf("%s=%s:%s", port.Name, binding.HostIP, binding.HostPort))
		}
	}
	for _, network := range s.Networks {
		networks = append(networks, network.Name+"="+network.IPAddress)
	}
	for _, mount := range s.Mounts {
		mounts = append(mounts, fmt.Sprintf("%s %s %s %v", mount.Type, mount.Name, mount.Destination, !mount.ReadOnly))
	}
	f["ports"], f["networks"], f["mounts"] = sorted(ports), sorted(networks), sorted(mounts)
	return f.clean()
}

// clean drops fields that say nothing.
func (f Fields) clean() Fields {
	maps.DeleteFunc(f, func(_, value string) bool { return value == "" || value == "[]" })
	return f
}

func text(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	return fmt.Sprint(m) // fmt sorts the keys
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, " ")
}

// whole cuts the engine's time to whole seconds; it is empty for no time.
func whole(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

func stamp(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
