// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/logstructured"
	"github.com/k3s-io/kine/pkg/logstructured/sqllog"
	"github.com/k3s-io/kine/pkg/server"
)

// interposed is a log that does something before and after an append.
type interposed struct {
	logstructured.Log
	before, after func()
}

// Append implements [logstructured.Log].
func (l *interposed) Append(ctx context.Context, event *server.Event) (int64, error) {
	if l.before != nil {
		l.before()
	}
	revision, err := l.Log.Append(ctx, event)
	if l.after != nil {
		l.after()
	}
	return revision, err
}

// TestACompactionComesBetween: a key that was deleted is made again while a
// compaction drops the record of that, at each of the moments where kine is
// surprised by it. It is made, with its own revision.
func TestACompactionComesBetween(t *testing.T) {
	for name, into := range map[string]func(*interposed, func()){
		"before kine looks": func(l *interposed, compact func()) { l.after = compact },
		"after kine looked": func(l *interposed, compact func()) {
			appends := 0
			l.before = func() {
				if appends++; appends == 2 { // the first meets the record
					compact()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			life, end := context.WithCancel(context.Background())
			defer wg.Wait()
			defer end()
			dialect, err := openSQLite(life, &wg, filepath.Join(t.TempDir(), "store.db"))
			if err != nil {
				t.Fatal(err)
			}
			log := &interposed{Log: sqllog.New(dialect, &wg, &drivers.Config{
				CompactTimeout: compactTimeout, CompactBatchSize: compactBatch, PollInterval: pollInterval, PollBatchSize: pollBatch,
			})}
			b := newBackend(log)
			if err := b.Start(life); err != nil {
				t.Fatal(err)
			}
			revision, err := b.Create(t.Context(), "/registry/a", []byte("one"), 0)
			if err != nil {
				t.Fatal(err)
			}
			deleted, _, ok, err := b.Delete(t.Context(), "/registry/a", revision)
			if err != nil || !ok {
				t.Fatalf("deleted: %v, %v", ok, err)
			}
			into(log, func() {
				log.before, log.after = nil, nil
				if _, err := b.Compact(t.Context(), deleted); err != nil {
					t.Errorf("compact: %v", err)
				}
			})
			revision, err = b.Create(t.Context(), "/registry/a", []byte("two"), 0)
			if err != nil {
				t.Fatalf("the key is not made again: %v", err)
			}
			_, got, err := b.Get(t.Context(), "/registry/a", 0, false)
			if err != nil || got == nil || string(got.Value) != "two" || got.ModRevision != revision {
				t.Errorf("after it was made again with the revision %d: %+v, %v", revision, got, err)
			}
		})
	}
}
