// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

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
