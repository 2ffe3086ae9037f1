// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"sync"

	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/secret"
)

// secretWatch reports changes of one Secret at a time, and uses no time if there is none
// to watch. It is a runnable of its manager.
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
			wg.Go(func() { secret.Follow(following, w.metadata, key, func(string) { w.changed() }) })
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
