// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// readDaemon reads the objects from the daemon.
func (i *Inventory) readDaemon(ctx context.Context, inst *instance.Instance) error {
	config, err := clientcmd.BuildConfigFromFlags("", inst.ConfigFile())
	if err != nil {
		return err
	}
	config.QPS, config.Timeout = -1, answerLimit
	resources, err := listable(config)
	if err != nil {
		return err
	}
	full, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	partial, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, resource := range resources {
		if into := i.typed(resource.GroupResource()); into != nil {
			err = listInto(ctx, full, resource, into)
		} else {
			err = i.listOthers(ctx, partial, resource)
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsMethodNotSupported(err) {
			return err
		}
	}
	return nil
}

// listable returns the resources whose objects a user may lose.
func listable(config *rest.Config) ([]schema.GroupVersionResource, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredResources()
	if lists == nil && err != nil {
		return nil, err // an unavailable group of an aggregated server does not matter
	}
	var resources []schema.GroupVersionResource
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if slices.Contains(resource.Verbs, "list") && slices.Contains(resource.Verbs, "delete") && !transient[resource.Name] {
				resources = append(resources, group.WithResource(resource.Name))
			}
		}
	}
	if len(resources) == 0 {
		return nil, errors.New("the daemon serves no resources")
	}
	return resources, nil
}

func listInto(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource, into func([]byte) error) error {
	list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, item := range list.Items {
		data, err := json.Marshal(item.Object)
		if err != nil {
			return err
		}
		if err := into(data); err != nil {
			return err
		}
	}
	return nil
}

func (i *Inventory) listOthers(ctx context.Context, client metadata.Interface, resource schema.GroupVersionResource) error {
	list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for n := range list.Items {
		i.takeOther(resource.GroupResource(), &list.Items[n].ObjectMeta)
	}
	return nil
}
