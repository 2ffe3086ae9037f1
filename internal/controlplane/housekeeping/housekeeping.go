// SPDX-License-Identifier: Apache-2.0

// Package housekeeping runs the two controllers of Kubernetes that clients of an API
// server rely on: namespace deletion and garbage collection.
package housekeeping

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/discovery"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace/deletion"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
)

const (
	namespaceWorkers = 2
	// The delays after a failed deletion of a namespace's content.
	namespaceRetryMin = 20 * time.Millisecond
	namespaceRetryMax = time.Minute
	// namespacePoll is the interval of checks for objects that are being deleted.
	namespacePoll = 250 * time.Millisecond

	garbageWorkers = 2
	// garbageSync is how often the kinds to watch are read even without a reported
	// change.
	garbageSync = 10 * time.Minute
	// garbageSettle is the delay after a new definition, because several often follow.
	garbageSettle = 100 * time.Millisecond
)

// Config describes the API server. All fields are required.
type Config struct {
	// REST connects to the API server with all permissions.
	REST *rest.Config
	// Namespaces is an informer of its own or a shared one, which another component
	// starts.
	Namespaces cache.SharedIndexInformer
	// KindsChanged receives a value after each change of the served kinds; values may
	// be merged.
	KindsChanged <-chan struct{}
	Log          *slog.Logger
}

// Run runs the controllers until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	namespaces, err := newNamespaces(ctx, cfg.as("namespace-controller"))
	if err != nil {
		return err
	}
	garbage, err := newGarbage(ctx, cfg.as("generic-garbage-collector"))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { namespaces.run(ctx) })
	wg.Go(func() { garbage.run(ctx) })
	wg.Wait()
	return nil
}

// as makes a controller use the service account that it has in a cluster, by which
// policies identify it.
func (c Config) as(controller string) Config {
	c.REST = rest.CopyConfig(c.REST)
	c.REST.Impersonate = rest.ImpersonationConfig{
		UserName: serviceaccount.MakeUsername(metav1.NamespaceSystem, controller),
		Groups:   []string{user.SystemPrivilegedGroup},
	}
	return c
}

// clients returns the clients of both controllers.
func (c Config) clients() (kubernetes.Interface, metadata.Interface, error) {
	client, err := kubernetes.NewForConfig(c.REST)
	if err != nil {
		return nil, nil, err
	}
	meta, err := metadata.NewForConfig(c.REST)
	return client, meta, err
}

// namespaces deletes the content of namespaces that are being deleted. Kubernetes' own
// controller waits five seconds first, for other API servers, of which RDD has none.
type namespaces struct {
	deleter deletion.NamespacedResourcesDeleterInterface
	queue   workqueue.TypedRateLimitingInterface[string]
	log     *slog.Logger
	stop    func() // removes the event handler

	failures wording.Reported // for each namespace
}

func newNamespaces(ctx context.Context, cfg Config) (*namespaces, error) {
	client, meta, err := cfg.clients()
	if err != nil {
		return nil, err
	}
	n := &namespaces{
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](namespaceRetryMin, namespaceRetryMax)),
		log: cfg.Log,
	}
	n.deleter = deletion.NewNamespacedResourcesDeleter(ctx, client.CoreV1().Namespaces(), meta, client.CoreV1(),
		func() ([]*metav1.APIResourceList, error) {
			return discovery.ServerPreferredNamespacedResources(client.Discovery())
		},
		corev1.FinalizerKubernetes)
	enqueue := func(obj any) {
		if namespace, ok := obj.(*corev1.Namespace); ok && namespace.DeletionTimestamp != nil {
			n.queue.Add(namespace.Name)
		}
	}
	registration, err := cfg.Namespaces.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch the namespaces: %w", err)
	}
	n.stop = func() { _ = cfg.Namespaces.RemoveEventHandler(registration) }
	return n, nil
}

func (n *namespaces) run(ctx context.Context) {
	defer n.stop()
	var wg sync.WaitGroup
	for range namespaceWorkers {
		wg.Go(func() { n.work(ctx) })
	}
	<-ctx.Done()
	n.queue.ShutDown()
	wg.Wait()
}

func (n *namespaces) work(ctx context.Context) {
	for {
		name, shutdown := n.queue.Get()
		if shutdown {
			return
		}
		err := n.deleter.Delete(ctx, name)
		var remaining *deletion.ResourcesRemainingError
		switch {
		case err == nil:
			n.queue.Forget(name)
			n.failures.Clear(name)
		case errors.As(err, &remaining):
			n.failures.Clear(name)
			n.queue.AddAfter(name, namespacePoll)
		case ctx.Err() == nil:
			if n.failures.Changed(name, err) {
				n.log.Warn("emptying a namespace failed, will retry", "namespace", name, "error", err)
			}
			n.queue.AddRateLimited(name)
		}
		n.queue.Done(name)
	}
}

// garbage is Kubernetes' garbage collector, which is notified of new kinds.
type garbage struct {
	collector *garbagecollector.GarbageCollector
	client    kubernetes.Interface
	changed   <-chan struct{}
}

func newGarbage(ctx context.Context, cfg Config) (*garbage, error) {
	client, meta, err := cfg.clients()
	if err != nil {
		return nil, err
	}
	// The mapper has its own discovery client, because the collector resets it.
	kinds, err := discovery.NewDiscoveryClientForConfig(cfg.REST)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(kinds))
	started := make(chan struct{})
	close(started)
	collector, err := garbagecollector.NewGarbageCollector(ctx, client, meta, mapper,
		garbagecollector.DefaultIgnoredResources(), metadataInformers{metadatainformer.NewSharedInformerFactory(meta, 0)}, started)
	if err != nil {
		return nil, fmt.Errorf("create the garbage collector: %w", err)
	}
	return &garbage{collector: collector, client: client, changed: cfg.KindsChanged}, nil
}

func (g *garbage) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { g.collector.Run(ctx, garbageWorkers, garbageSync) })
	for ctx.Err() == nil {
		select {
		case <-g.changed: // changes before now are included
		default:
		}
		// The collector's Sync reads the kinds immediately, and then periodically. A
		// change restarts it.
		syncing, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.collector.Sync(syncing, g.client.Discovery(), garbageSync)
		}()
		select {
		case <-ctx.Done():
		case <-g.changed:
			select {
			case <-ctx.Done():
			case <-time.After(garbageSettle):
			}
		}
		cancel()
		<-done
	}
	wg.Wait()
}

// metadataInformers are informers of the objects' metadata for the garbage collector.
type metadataInformers struct {
	factory metadatainformer.SharedInformerFactory
}

// ForResource implements informerfactory.InformerFactory.
func (m metadataInformers) ForResource(resource schema.GroupVersionResource) (informers.GenericInformer, error) {
	return m.factory.ForResource(resource), nil
}

// Start implements informerfactory.InformerFactory.
func (m metadataInformers) Start(stop <-chan struct{}) { m.factory.Start(stop) }
