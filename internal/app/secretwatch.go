// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretWatch reports changes of one Secret, and uses no time if there is none to
// watch. It reads metadata only, so that no key is kept in memory. It is a runnable of
// its manager.
type secretWatch struct {
	metadata metadata.Interface
	changed  func()        // must not wait for anything
	wanted   chan struct{} // holds a value when another Secret is to be watched

	mu  sync.Mutex
	key client.ObjectKey // guarded by mu; the Secret's; zero if there is none
}

func newSecretWatch(metadata metadata.Interface, changed func()) *secretWatch {
	return &secretWatch{metadata: metadata, changed: changed, wanted: make(chan struct{}, 1)}
}

// want makes the watch follow a Secret, and no other; the zero key is for none.
func (w *secretWatch) want(key client.ObjectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key == w.key {
		return
	}
	w.key = key
	select {
	case w.wanted <- struct{}{}:
	default: // a change is already pending
	}
}

// Start implements manager.Runnable.
func (w *secretWatch) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		w.mu.Lock()
		key := w.key
		w.mu.Unlock()
		following, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if key.Name != "" {
			wg.Go(func() { w.follow(following, key) })
		}
		select {
		case <-ctx.Done():
		case <-w.wanted:
		}
		cancel()
		wg.Wait()
	}
	return nil
}

func (w *secretWatch) follow(ctx context.Context, key client.ObjectKey) {
	informer := metadatainformer.NewFilteredMetadataInformer(w.metadata, corev1.SchemeGroupVersion.WithResource("secrets"),
		key.Namespace, 0, toolscache.Indexers{}, func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name).String()
		}).Informer()
	// It fails only if the informer has stopped, and this one is not started yet.
	_, _ = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.changed() },
		UpdateFunc: func(_, _ any) { w.changed() },
	})
	informer.RunWithContext(ctx)
}
