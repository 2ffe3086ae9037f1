// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// List implements [engine.Engine].
func (e *Engine) List(ctx context.Context, kind engine.Kind) ([]engine.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if kind == engine.KindVolume {
		return nil, nil // there are none
	}
	e.records.clear()
	e.targets.clear()
	namespaces, err := e.listNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	var items []engine.Item
	for _, namespace := range namespaces {
		switch kind {
		case engine.KindNamespace:
			items = append(items, namespaceItem(namespace))
		case engine.KindContainer:
			err = e.containerItems(ctx, namespace.GetName(), &items)
		case engine.KindImage:
			err = e.imageItems(ctx, namespace.GetName(), &items)
		default:
			return nil, fmt.Errorf("unknown kind %q", kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (e *Engine) listNamespaces(ctx context.Context) ([]*namespacesapi.Namespace, error) {
	response, err := e.namespaces.List(ctx, &namespacesapi.ListNamespacesRequest{})
	if err != nil {
		return nil, e.translate(err)
	}
	return response.GetNamespaces(), nil
}

func namespaceItem(namespace *namespacesapi.Namespace) engine.Item {
	return engine.Item{
		Key: engine.Key{Kind: engine.KindNamespace, ID: namespace.GetName()},
		Current: func(known engine.Object, _ time.Time) bool {
			return known.Namespace != nil && maps.Equal(namespace.GetLabels(), known.Namespace.Labels)
		},
		Fingerprint: func() uint64 { return engine.FingerprintOf(namespace.GetLabels()) },
	}
}

// containerItems appends the containers of a namespace. A list shows all that an
// inspection does.
func (e *Engine) containerItems(ctx context.Context, namespace string, items *[]engine.Item) error {
	scoped := in(ctx, namespace)
	stream, err := e.containers.ListStream(scoped, &containersapi.ListContainersRequest{})
	if err != nil {
		return e.translate(err)
	}
	var containers []*containersapi.Container
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return e.translate(err)
		}
		containers = append(containers, message.GetContainer())
	}
	if len(containers) == 0 {
		return nil
	}
	tasks, err := e.tasks.List(scoped, &tasksapi.ListTasksRequest{})
	if err != nil {
		return e.translate(err)
	}
	byContainer := map[string]*task.Process{}
	for _, process := range tasks.GetTasks() {
		byContainer[process.GetID()] = process // a list leaves ContainerID out
	}
	targets, err := e.listTargets(ctx, namespace)
	if err != nil {
		return err
	}
	for _, c := range containers {
		status, err := e.statusOf(ctx, namespace, recordOf(c), byContainer[c.GetID()], targets[c.GetImage()])
		if err != nil {
			return err
		}
		*items = append(*items, containerItem(namespace, status, c.GetID()))
	}
	return nil
}

func containerItem(namespace string, status *containersv1alpha1.ContainerStatus, id string) engine.Item {
	return engine.Item{
		Key: engine.Key{Kind: engine.KindContainer, Namespace: namespace, ID: id},
		Current: func(known engine.Object, _ time.Time) bool {
			return known.Container != nil && sameContainer(status, known.Container)
		},
		Fingerprint: func() uint64 { return engine.FingerprintOf(status) },
	}
}

// sameContainer compares what containerd says; what only a mirror knows is left
// out.
func sameContainer(listed, known *containersv1alpha1.ContainerStatus) bool {
	if len(listed.Conditions) > len(known.Conditions) {
		return false
	}
	for i, condition := range listed.Conditions {
		if known.Conditions[i].Type != condition.Type || known.Conditions[i].Status != condition.Status ||
			known.Conditions[i].Reason != condition.Reason {
			return false
		}
	}
	want, have := *listed, *known
	want.Conditions, have.Conditions = []metav1.Condition(nil), nil
	have.Namespace = want.Namespace // its ContainerNamespace may have another name
	have.LastAction, have.ObservedGeneration = nil, 0
	return apiequality.Semantic.DeepEqual(want, have)
}

// listTargets returns the digest that each image's name leads to.
func (e *Engine) listTargets(ctx context.Context, namespace string) (map[string]string, error) {
	records, err := e.imageRecords(ctx, namespace)
	if err != nil {
		return nil, err
	}
	targets := make(map[string]string, len(records))
	for _, record := range records {
		targets[record.GetName()] = record.GetTarget().GetDigest()
	}
	return targets, nil
}

// imageRecords returns containerd's records of images: a name, and a digest
// that it leads to.
func (e *Engine) imageRecords(ctx context.Context, namespace string, filters ...string) ([]*imagesapi.Image, error) {
	response, err := e.images.List(in(ctx, namespace), &imagesapi.ListImagesRequest{Filters: filters})
	if err != nil {
		return nil, e.translate(err)
	}
	for _, record := range response.GetImages() {
		e.names.learn(namespace, record.GetName(), record.GetTarget().GetDigest())
	}
	return response.GetImages(), nil
}

// imageItems appends the images of a namespace.
func (e *Engine) imageItems(ctx context.Context, namespace string, items *[]engine.Item) error {
	records, err := e.imageRecords(ctx, namespace)
	if err != nil {
		return err
	}
	byDigest := map[string][]string{}
	for _, record := range records {
		id := record.GetTarget().GetDigest()
		byDigest[id] = append(byDigest[id], record.GetName())
	}
	for _, id := range slices.Sorted(maps.Keys(byDigest)) {
		named := sortNames(byDigest[id])
		*items = append(*items, engine.Item{
			Key:  engine.Key{Kind: engine.KindImage, Namespace: namespace, ID: id},
			Tags: named.tags,
			Current: func(known engine.Object, _ time.Time) bool {
				return named.fit(known.Images)
			},
			Fingerprint: func() uint64 { return engine.FingerprintOf(slices.Sorted(slices.Values(byDigest[id]))) },
		})
	}
	return nil
}
