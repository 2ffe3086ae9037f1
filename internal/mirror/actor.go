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

// actor does in the engine what objects ask for: it acts on containers, and removes
// what deleted mirrors stand for. It writes to the mirrors what came of it.
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

	alive context.Context //nolint:containedctx // of what is asked of the engine
}

// mirrors is what an [actor] needs of a [syncer].
type mirrors interface {
	// create creates a mirror with its status.
	create(ctx context.Context, want client.Object) error
	// began returns when the sync of an object began that is under way; zero for none.
	began(key engine.Key) time.Time
	// releaseNamespace has a ContainerNamespace go that the user deleted.
	releaseNamespace(ctx context.Context, key engine.Key, have client.Object) error
}

// wait waits for what the engine was asked for.
func (a *actor) wait() {
	a.deletions.wg.Wait()
	a.acts.wg.Wait()
}
