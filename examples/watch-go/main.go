// SPDX-License-Identifier: Apache-2.0

// Command watch-go prints a line for each container of RDD that is added, changed or
// deleted. It reconnects after the daemon was stopped, and prints the changes that it
// missed.
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

// watch runs until ctx ends. It uses the same kubeconfig as kubectl.
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
	// An informer lists, watches, and lists again after a lost connection. It calls its
	// handlers with the difference, without a resync period: 0.
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(containersv1alpha1.GroupVersion.WithResource("containers")).Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { say("added", read(object)) },
		UpdateFunc: func(object, newer any) {
			before, after := read(object), read(newer)
			switch {
			case before.Status.Name == "":
				say("added", after)
			case before.ResourceVersion != after.ResourceVersion: // else it was only listed again
				say("changed", after)
			}
		},
		DeleteFunc: func(object any) {
			// Deleted while the connection was lost: the last known state.
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

// read returns the object as a Container, which is empty after an error.
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
		return // just created: the status is not written yet
	}
	fmt.Printf("%-8s %-10s %-20s %s\n", what, container.Status.Status, container.Status.Name, container.Status.ImageName)
}
