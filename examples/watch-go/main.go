// SPDX-License-Identifier: Apache-2.0

// Command watch-go prints a line for each container of RDD that comes, changes or
// goes. It goes on while the daemon is away, and says what it missed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := watch(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// watch runs until ctx ends. The kubeconfig is the one that kubectl would take.
func watch(ctx context.Context) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	// An informer lists, watches, and lists again after a lost connection; its
	// handlers are told the difference. It needs no resync for that: 0.
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(containersv1alpha1.GroupVersion.WithResource("containers")).Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { say("added", read(object)) },
		UpdateFunc: func(object, newer any) {
			before, after := read(object), read(newer)
			switch {
			case before.Status.Name == "":
				say("added", after)
			case before.ResourceVersion != after.ResourceVersion: // and not listed again only
				say("changed", after)
			}
		},
		DeleteFunc: func(object any) {
			// It went while the connection was lost: the last that was known of it.
			if missed, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = missed.Obj
			}
			say("deleted", read(object))
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	factory.Shutdown()
	return nil
}

// read returns the object as a Container. One that can't be read is empty.
func read(object any) *containersv1alpha1.Container {
	container := &containersv1alpha1.Container{}
	content := object.(*unstructured.Unstructured).UnstructuredContent()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, container); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
	}
	return container
}

func say(what string, container *containersv1alpha1.Container) {
	if container.Status.Name == "" {
		return // made a moment ago, and not described yet
	}
	fmt.Printf("%-8s %-10s %-20s %s\n", what, container.Status.Status, container.Status.Name, container.Status.ImageName)
}
