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
	"google.golang.org/protobuf/proto"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// List implements [engine.Engine].
func (e *Engine) List(ctx context.Context, kind engine.Kind) ([]engine.Item, error) {
	ctx, cancel := engine.Limit(ctx, callTimeout)
	defer cancel()
	if kind == engine.KindVolume || kind == engine.KindNetwork {
		return nil, nil // containerd has none: they are nerdctl's and the CNI plugins' own
	}
	e.records.clear()
	e.targets.clear()
	namespaces, err := e.listNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	items := engine.NewUsable(kind)
	kept := limits.NewBudget("containerd's list of containers", maxKept)
	for _, namespace := range namespaces {
		if err := engine.CheckKey(engine.Key{Kind: engine.KindNamespace, ID: namespace.GetName()}); err != nil && kind != engine.KindNamespace {
			items.Drop(fmt.Errorf("its namespace is invalid: %w", err))
			continue
		}
		switch kind {
		case engine.KindNamespace:
			items.Add(namespaceItem(namespace))
		case engine.KindContainer:
			err = e.containerItems(ctx, namespace.GetName(), kept, items)
		case engine.KindImage:
			err = e.imageItems(ctx, namespace.GetName(), items)
		default:
			return nil, fmt.Errorf("unknown kind %q", kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return items.List()
}

func (e *Engine) listNamespaces(ctx context.Context) ([]*namespacesapi.Namespace, error) {
	response, err := e.namespaces.List(ctx, &namespacesapi.ListNamespacesRequest{}, ofList())
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

// containerItems adds the containers of a namespace. A list shows as much as an
// inspection.
func (e *Engine) containerItems(ctx context.Context, namespace string, kept *limits.Budget, items *engine.Usable) error {
	containers, err := e.listRecords(ctx, namespace, kept)
	if err != nil || len(containers) == 0 {
		return err
	}
	byContainer, err := e.listTasks(in(ctx, namespace))
	if err != nil {
		return err
	}
	targets, err := e.listTargets(ctx, namespace)
	if err != nil {
		return err
	}
	for _, c := range containers {
		status, err := e.statusOf(ctx, namespace, c, byContainer[c.GetID()], targets[c.GetImage()])
		if err != nil {
			return err
		}
		items.Add(containerItem(namespace, status, c.GetID()))
	}
	return nil
}

// listRecords reads the stream of a namespace's containers to its end before other
// calls: containerd locks its database until then. Of each specification, which may
// have 16 MB, it keeps only the compared part.
func (e *Engine) listRecords(ctx context.Context, namespace string, kept *limits.Budget) ([]record, error) {
	ctx, cancel := context.WithCancel(in(ctx, namespace))
	defer cancel()
	stream, err := e.containers.ListStream(ctx, &containersapi.ListContainersRequest{})
	if err != nil {
		return nil, e.translate(err)
	}
	var records []record
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, e.translate(err)
		}
		c := recordOf(message.GetContainer())
		c.spec.Mounts = slices.DeleteFunc(c.spec.Mounts, func(m specMount) bool { return !m.bind() })
		if c.Container != nil {
			c.Spec = nil
		}
		if err := kept.Take(c.weight()); err != nil {
			return nil, err
		}
		records = append(records, c)
	}
}

// listTasks returns the tasks of a namespace by their containers.
func (e *Engine) listTasks(ctx context.Context) (map[string]*task.Process, error) {
	tasks, err := e.tasks.List(ctx, &tasksapi.ListTasksRequest{}, ofList())
	if err != nil {
		return nil, e.translate(err)
	}
	byContainer := map[string]*task.Process{}
	for _, process := range tasks.GetTasks() {
		byContainer[process.GetID()] = process // a list leaves ContainerID out
	}
	return byContainer, nil
}

// weight returns how much memory a record takes, roughly.
func (r record) weight() int64 {
	size := proto.Size(r.Container)
	for _, arg := range r.spec.Process.Args {
		size += len(arg) + 16
	}
	for _, m := range r.spec.Mounts {
		size += len(m.Source) + len(m.Destination) + 128
	}
	for name, value := range r.spec.Annotations {
		size += len(name) + len(value) + 32
	}
	return int64(size)
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

// sameContainer compares the fields that are from containerd.
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

// listTargets returns the digest of each image's name.
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

// imageRecords returns containerd's records of images: a name and its digest.
func (e *Engine) imageRecords(ctx context.Context, namespace string, filters ...string) ([]*imagesapi.Image, error) {
	response, err := e.images.List(in(ctx, namespace), &imagesapi.ListImagesRequest{Filters: filters}, ofList())
	if err != nil {
		return nil, e.translate(err)
	}
	for _, record := range response.GetImages() {
		e.names.learn(namespace, record.GetName(), record.GetTarget().GetDigest())
	}
	return response.GetImages(), nil
}

// imageItems adds the images of a namespace.
func (e *Engine) imageItems(ctx context.Context, namespace string, items *engine.Usable) error {
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
		items.Add(engine.Item{
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
