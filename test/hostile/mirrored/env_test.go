// SPDX-License-Identifier: Apache-2.0

// Package mirrored_test has the mirror meet hostile engines, beside a healthy one,
// in one control plane.
package mirrored_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

const (
	namespace = "rancher-desktop"
	busybox   = "busybox:latest"
	// patience is how long anything may take that must come true: long, as a
	// busy machine is no failure.
	patience = time.Minute
)

// startPlane runs a control plane with the mirror, and returns a client of it.
func startPlane(t *testing.T) ctrlclient.Client {
	t.Helper()
	control := controlplanetest.Start(t)
	controllers := mirror.Controllers(open.Drivers())
	control.Install(manager.Definitions(controllers))
	scheme := runtime.NewScheme()
	must(t, corev1.AddToScheme(scheme))
	must(t, containersv1alpha1.AddToScheme(scheme))
	kube, err := ctrlclient.New(control.Server.ClientConfig(), ctrlclient.Options{Scheme: scheme})
	must(t, err)
	m, err := manager.New(manager.Config{Controllers: controllers, REST: control.Server.ClientConfig(), Holder: manager.Embedded(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	must(t, m.Setup(t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the manager ended: %v", err)
		}
	})
	err = kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	if !apierrors.IsAlreadyExists(err) {
		must(t, err)
	}
	return kube
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connect makes a ContainerEngine.
func connect(t *testing.T, kube ctrlclient.Client, name string, kind containersv1alpha1.EngineType, endpoint string) {
	t.Helper()
	must(t, kube.Create(t.Context(), &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: containersv1alpha1.ContainerEngineSpec{
			Type: kind, Endpoint: endpoint, ResyncPeriod: &metav1.Duration{Duration: time.Second},
		},
	}))
}

// mirrors returns the UIDs of an engine's mirrors, by kind and name.
func mirrors(ctx context.Context, kube ctrlclient.Client, engine string) (map[string]string, error) {
	all := map[string]string{}
	for kind, list := range map[string]ctrlclient.ObjectList{
		"container": &containersv1alpha1.ContainerList{}, "image": &containersv1alpha1.ImageList{}, "volume": &containersv1alpha1.VolumeList{},
	} {
		if err := kube.List(ctx, list, ctrlclient.InNamespace(namespace), ctrlclient.MatchingLabels{containersv1alpha1.EngineLabel: engine}); err != nil {
			return nil, err
		}
		_ = apimeta.EachListItem(list, func(obj runtime.Object) error {
			m := obj.(ctrlclient.Object)
			all[kind+" "+m.GetName()] = string(m.GetUID())
			return nil
		})
	}
	return all, nil
}

// report is what a ContainerEngine says of itself.
type report struct {
	ready, complete *metav1.Condition
	status          containersv1alpha1.ContainerEngineStatus
}

func reportOf(ctx context.Context, kube ctrlclient.Client, name string) (report, error) {
	ce := &containersv1alpha1.ContainerEngine{}
	err := kube.Get(ctx, ctrlclient.ObjectKey{Namespace: namespace, Name: name}, ce)
	return report{
		ready:    apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady),
		complete: apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionComplete),
		status:   ce.Status,
	}, err
}

// well reports whether it says that all is.
func (r report) well() bool {
	return r.ready != nil && r.ready.Status == metav1.ConditionTrue && (r.complete == nil || r.complete.Status == metav1.ConditionTrue)
}

func (r report) String() string {
	text := fmt.Sprintf("%d containers, %d images, %d volumes", r.status.Containers, r.status.Images, r.status.Volumes)
	for _, condition := range []*metav1.Condition{r.ready, r.complete} {
		if condition != nil {
			text += fmt.Sprintf("; %s=%s/%s: %.300s", condition.Type, condition.Status, condition.Reason, condition.Message)
		}
	}
	return text
}

// eventually waits until a condition holds, and says how it was last where it
// does not in time. It is for any goroutine.
func eventually(ctx context.Context, limit time.Duration, condition func() (bool, string)) error {
	deadline := time.Now().Add(limit)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		holds, state := condition()
		if holds {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s", limit, state)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// docker is a simulated engine and its client.
type docker struct {
	*fakedocker.Server
	client *client.Client
}

func startDocker(t *testing.T) docker {
	t.Helper()
	server := fakedocker.Run(t, fakedocker.Config{})
	server.AddImage(busybox)
	c, err := client.New(client.WithHost(server.Endpoint()))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: "data"})
	must(t, err)
	d := docker{server, c}
	for i := range 3 {
		_, err := d.create(t.Context(), fmt.Sprint("base-", i))
		must(t, err)
	}
	return d
}

func (d docker) create(ctx context.Context, name string) (id string, err error) {
	created, err := d.client.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: busybox, Cmd: []string{"sleep", "inf"}, Labels: map[string]string{"a": "b"}},
	})
	if err != nil {
		return "", err
	}
	_, err = d.client.ContainerStart(ctx, created.ID, client.ContainerStartOptions{})
	return created.ID, err
}

func (d docker) remove(ctx context.Context, id string) error {
	_, err := d.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
	return err
}
