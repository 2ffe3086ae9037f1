// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// actor executes in the engine what clients request through mirrors: it acts on
// containers, and removes the engine objects of deleted mirrors. It writes the
// results to the mirrors.
type actor struct {
	owner    owner
	engine   engine.Engine
	writer   *writer
	reader   client.Reader // not from a cache
	events   record.EventRecorder
	clock    clock.WithTickerAndDelayedExecution
	log      *slog.Logger
	table    *table
	queue    queues
	problems *problems
	notices  *notices
	// mirrors is the syncer.
	mirrors mirrors

	acts      acts
	deletions *deletions

	alive context.Context //nolint:containedctx // of calls to the engine
}

// mirrors are the methods of a [syncer] that an [actor] needs.
type mirrors interface {
	// create creates a mirror with its status.
	create(ctx context.Context, want client.Object) error
	// began returns when the current sync of an object began; zero for none.
	began(key engine.Key) time.Time
	// releaseNamespace removes a ContainerNamespace that the user deleted.
	releaseNamespace(ctx context.Context, key engine.Key, have client.Object) error
}

// wait waits for the calls to the engine.
func (a *actor) wait() {
	a.deletions.wg.Wait()
	a.acts.wg.Wait()
}
