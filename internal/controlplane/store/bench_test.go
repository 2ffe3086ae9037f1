// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// BenchmarkUpdate is what an update of an object of 2 KiB costs, beside 1,000
// others, and the read of it that the API server makes before.
func BenchmarkUpdate(b *testing.B) {
	s, err := Open(b.Context(), Config{File: filepath.Join(b.TempDir(), "store.db"), Version: "test"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	value := strings.Repeat("x", 2<<10)
	write := func(key string, revision int64) int64 {
		response, err := c.KV.Txn(b.Context()).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
			Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(key)).Commit()
		if err != nil || !response.Succeeded {
			b.Fatalf("write %s: %+v, %v", key, response, err)
		}
		return response.Header.Revision
	}
	for i := range 1000 {
		write(fmt.Sprintf("/registry/others/%d", i), 0)
	}
	revision := write("/registry/one", 0)
	for b.Loop() {
		if _, err := c.KV.Get(b.Context(), "/registry/one"); err != nil {
			b.Fatal(err)
		}
		revision = write("/registry/one", revision)
	}
}

// BenchmarkWriters is what an update costs while seven others are made, and how
// long the slowest of a hundred takes.
func BenchmarkWriters(b *testing.B) {
	const writers = 8
	s := newScribe(b)
	defer s.end()
	took := make([][]time.Duration, writers)
	var writing sync.WaitGroup
	b.ResetTimer()
	for i := range writers {
		writing.Go(func() {
			w := &scribe{b: b, store: s.store, client: s.client}
			revision := int64(0)
			for range (b.N + writers - 1) / writers {
				revision = w.update(fmt.Sprint("/registry/", i), revision)
			}
			took[i] = w.took
		})
	}
	writing.Wait()
	b.StopTimer()
	s.took = slices.Concat(took...)
	s.report("write")
}
