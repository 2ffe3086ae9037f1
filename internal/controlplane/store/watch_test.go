// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestResumedWatchReadsItsOwnRangeOnly: a watch of a quiet kind that resumes at an old revision reads nothing of the large revisions of
// another kind that were written and removed since. The API server resumes watches of kinds without a watch cache every few minutes.
func TestResumedWatchReadsItsOwnRangeOnly(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	const (
		size      = 2 << 20
		revisions = 14
		watches   = 8
	)
	put(t, c.KV, "/registry/quiet/a", "one", 0)
	since := put(t, c.KV, "/registry/quiet/b", "one", 0)
	large := int64(0)
	for range revisions {
		large = put(t, c.KV, "/registry/large/a", strings.Repeat("x", size), large)
	}
	if _, err := c.KV.Txn(t.Context()).If(clientv3.Compare(clientv3.ModRevision("/registry/large/a"), "=", large)).
		Then(clientv3.OpDelete("/registry/large/a")).Else(clientv3.OpGet("/registry/large/a")).Commit(); err != nil {
		t.Fatal(err)
	}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range watches {
		for name, options := range map[string][]clientv3.OpOption{"/registry/quiet/": {clientv3.WithPrefix()}, "/registry/quiet/b": nil} {
			if got := resume(t, s, name, since, 1, options...); got != "/registry/quiet/b=one" {
				t.Errorf("a watch of %s that resumes at revision %d saw %s", name, since, got)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if read := after.TotalAlloc - before.TotalAlloc; read > revisions*size {
		t.Errorf("%d watches of another kind allocated %d bytes, more than it takes to read the %d revisions once", 2*watches, read, revisions)
	}

	if got := resume(t, s, "/registry/large/", since, revisions+1, clientv3.WithPrefix()); strings.Count(got, "/registry/large/a=x") != revisions || !strings.HasSuffix(got, " /registry/large/a deleted") {
		t.Errorf("a watch of the large kind saw %.100s…", got)
	}
	if got := resume(t, s, "", since, revisions+2, clientv3.WithPrefix()); !strings.HasPrefix(got, "/registry/quiet/b=one ") {
		t.Errorf("a watch of everything saw %.100s…", got)
	}
}

// resume watches from a revision on, and returns the first events.
func resume(t *testing.T, s *Store, key string, revision int64, events int, options ...clientv3.OpOption) string {
	t.Helper()
	c := s.Client()
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got []string
	for response := range c.Watch(ctx, key, append(options, clientv3.WithRev(revision))...) {
		if err := response.Err(); err != nil {
			t.Fatal(err)
		}
		for _, event := range response.Events {
			word := string(event.Kv.Key) + "=" + string(event.Kv.Value)
			if event.Type == clientv3.EventTypeDelete {
				word = string(event.Kv.Key) + " deleted"
			}
			got = append(got, word)
		}
		if len(got) >= events {
			break
		}
	}
	return strings.Join(got, " ")
}
