// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
)

func open(t *testing.T, file string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{File: file, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, c clientv3.KV, key, value string, revision int64) int64 {
	t.Helper()
	response, err := c.Txn(t.Context()).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
		Then(clientv3.OpPut(key, value)).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil || !response.Succeeded {
		t.Fatalf("put %s: %+v, %v", key, response, err)
	}
	return response.Header.Revision
}

func get(t *testing.T, c clientv3.KV, key string) string {
	t.Helper()
	response, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(response.Kvs) == 0 {
		return ""
	}
	return string(response.Kvs[0].Value)
}

func TestKeepsWhatIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "with space & ü%41", "store.db")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, file)
	c := s.Client()
	first := put(t, c.KV, "/registry/a", "one", 0)
	put(t, c.KV, "/registry/a", "two", first)
	s.Checkpoint()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	s.Close()
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file: %v, %v; want mode 600", info, err)
		}
	}

	s = open(t, file)
	defer s.Close()
	c = s.Client()
	defer func() { _ = c.Close() }()
	if got := get(t, c.KV, "/registry/a"); got != "two" {
		t.Errorf("after reopening: %q", got)
	}
}

// TestFailedWritesAreErrors: a write that SQLite refuses is an error and never
// taken for success or for a conflict, and it works when SQLite does again.
func TestFailedWritesAreErrors(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	revision := put(t, c.KV, "/registry/a", "one", 0)
	execute := func(statement string) {
		t.Helper()
		if _, err := s.dialect.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	execute(`CREATE TRIGGER full BEFORE INSERT ON kine BEGIN SELECT RAISE(ABORT, 'no room'); END`)
	for name, write := range map[string]struct {
		key      string
		revision int64
		op       clientv3.Op
	}{
		"create": {"/registry/b", 0, clientv3.OpPut("/registry/b", "one")},
		"update": {"/registry/a", revision, clientv3.OpPut("/registry/a", "two")},
		"delete": {"/registry/a", revision, clientv3.OpDelete("/registry/a")},
	} {
		response, err := c.KV.Txn(t.Context()).
			If(clientv3.Compare(clientv3.ModRevision(write.key), "=", write.revision)).
			Then(write.op).
			Else(clientv3.OpGet(write.key)).
			Commit()
		if err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("%s: %+v, %v; want an error that says why", name, response, err)
		}
	}
	if a, b := get(t, c.KV, "/registry/a"), get(t, c.KV, "/registry/b"); a != "one" || b != "" {
		t.Errorf("after writes that failed: %q and %q", a, b)
	}
	execute(`DROP TRIGGER full`)
	put(t, c.KV, "/registry/a", "two", revision)
	put(t, c.KV, "/registry/b", "one", 0)
}

// TestNewestRevisionIsKnown: after writes that ended at the same time the store
// knows the newest of them, though none follows. Progress is reported up to it.
func TestNewestRevisionIsKnown(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	const writers = 4
	for round := range 200 {
		revisions := make([]int64, writers)
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() { revisions[i] = put(t, c.KV, fmt.Sprintf("/registry/%d/%d", round, i), "", 0) })
		}
		writing.Wait()
		current, err := s.backend.CurrentRevision(t.Context())
		if newest := slices.Max(revisions); err != nil || current != newest {
			t.Fatalf("round %d: the store's revision is %d, %v; %d was written", round, current, err, newest)
		}
	}
}

// TestAWriteHasItsOwnRevision: while others write, too, and where the key was
// there before.
func TestAWriteHasItsOwnRevision(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	var writing sync.WaitGroup
	for i := range 8 {
		writing.Go(func() {
			key := fmt.Sprintf("/registry/%d", i)
			for n := range 100 {
				created, err := c.Kubernetes.OptimisticPut(t.Context(), key, nil, 0, kubernetes.PutOptions{})
				if err != nil || !created.Succeeded {
					t.Errorf("creation %d of %s: %+v, %v", n, key, created, err)
					return
				}
				stored, err := c.KV.Get(t.Context(), key)
				if err != nil || len(stored.Kvs) != 1 || stored.Kvs[0].ModRevision != created.Revision {
					t.Errorf("creation %d of %s has the revision %d: %+v, %v", n, key, created.Revision, stored, err)
					return
				}
				updated, err := c.Kubernetes.OptimisticPut(t.Context(), key, nil, created.Revision, kubernetes.PutOptions{GetOnFailure: true})
				if err != nil || !updated.Succeeded {
					t.Errorf("update %d of %s: %+v, %v", n, key, updated, err)
					return
				}
				deleted, err := c.Kubernetes.OptimisticDelete(t.Context(), key, updated.Revision, kubernetes.DeleteOptions{GetOnFailure: true})
				if err != nil || !deleted.Succeeded {
					t.Errorf("deletion %d of %s: %+v, %v", n, key, deleted, err)
					return
				}
			}
		})
	}
	writing.Wait()
}

func TestWatchesSeeEveryWriteInOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	writer, reader := s.Client(), s.Client()
	defer func() { _, _ = writer.Close(), reader.Close() }()
	watch := reader.Watch(t.Context(), "/registry/", clientv3.WithPrefix())
	revision := int64(0)
	const writes = 100
	for i := range writes {
		revision = put(t, writer.KV, "/registry/a", fmt.Sprint(i), revision)
	}
	next := 0
	deadline := time.After(10 * time.Second)
	for next < writes {
		select {
		case response := <-watch:
			for _, event := range response.Events {
				if got := string(event.Kv.Value); got != fmt.Sprint(next) {
					t.Fatalf("event %d has %q", next, got)
				}
				next++
			}
		case <-deadline:
			t.Fatalf("only %d of %d events", next, writes)
		}
	}
}

// fill makes a store with enough in it to have pages to damage.
func fill(t *testing.T, file string) {
	t.Helper()
	s := open(t, file)
	c := s.Client()
	for i := range 200 {
		put(t, c.KV, fmt.Sprintf("/registry/%04d", i), strings.Repeat("x", 1000), 0)
	}
	_ = c.Close()
	s.Close()
}

func TestDamageIsNoNewStore(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, file string){
		"missing": func(t *testing.T, file string) {
			t.Helper()
			remove(t, file)
		},
		"empty": func(t *testing.T, file string) {
			t.Helper()
			truncate(t, file, 0)
		},
		"cut off": func(t *testing.T, file string) {
			t.Helper()
			truncate(t, file, 20_000)
		},
		"not a database": func(t *testing.T, file string) {
			t.Helper()
			overwrite(t, file, 0, 4096)
		},
		"a page in the middle": func(t *testing.T, file string) {
			t.Helper()
			overwrite(t, file, 4*4096, 4096)
		},
		"record damaged": func(t *testing.T, file string) {
			t.Helper()
			overwrite(t, recordFile(file), 0, 5)
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "store.db")
			fill(t, file)
			damage(t, file)
			before := snapshot(t, file)
			s, err := Open(t.Context(), Config{File: file, Version: "test"})
			if err == nil {
				s.Close()
				t.Fatal("a damaged store was opened")
			}
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("error %v (%T), want a DamagedError", err, err)
			}
			for _, word := range []string{file, "rdd service reset", "mirrored again", "lost"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q does not say %q", err, word)
				}
			}
			if after := snapshot(t, file); after != before {
				t.Errorf("the damaged store was changed")
			}
		})
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, file string, size int64) {
	t.Helper()
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, file string, offset int64, count int) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte(strings.Repeat("?", count)), offset); err != nil {
		t.Fatal(err)
	}
}

// snapshot returns the content of the database file, empty if it is missing.
func snapshot(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

func TestNewerStoreIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	fill(t, file)
	if err := os.WriteFile(recordFile(file), []byte(`{"format": 99, "version": "9.9.9"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{File: file, Version: "test"})
	var newer *NewerError
	if !errors.As(err, &newer) || newer.Format != 99 {
		t.Fatalf("error %v, want a NewerError", err)
	}
	if !strings.Contains(err.Error(), "9.9.9") || !strings.Contains(err.Error(), file) {
		t.Errorf("error %q names neither the version nor the file", err)
	}
}

// TestInterruptedBeginning: a first start that was killed before the store was
// whole is no damage.
func TestInterruptedBeginning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, file).Close()
}

// TestOpeningIsCutShort: an open store is open, whenever the opening was given up.
func TestOpeningIsCutShort(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	began := time.Now()
	open(t, file).Close()
	took := time.Since(began)
	opened, cut := 0, 0
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(rand.N(2*took), cancel)
		s, err := Open(ctx, Config{File: file, Version: "test"})
		timer.Stop()
		if err == nil {
			opened++
			time.Sleep(time.Millisecond) // what would close it is on its way
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("the open store is closed: %v", err)
			}
			s.Close()
		} else {
			cut++
		}
		cancel()
	}
	if opened == 0 || cut == 0 {
		t.Errorf("%d times opened and %d times not", opened, cut)
	}
}

func TestDamageInUseIsNoticed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	fill(t, file)
	s := open(t, file)
	defer s.Close()
	s.dialect.DB.SetMaxIdleConns(0) // nothing is read from a connection's cache
	overwrite(t, file, 4096, 100*4096)
	c := s.Client()
	defer func() { _ = c.Close() }()
	_, err := c.KV.Get(t.Context(), "/registry/", clientv3.WithPrefix())
	if err == nil {
		t.Fatal("a list of a damaged store succeeded")
	}
	select {
	case <-s.Failed():
	case <-time.After(10 * time.Second):
		t.Fatalf("the damage was not noticed, after %v", err)
	}
	var damaged *DamagedError
	if !errors.As(s.Err(), &damaged) {
		t.Errorf("Err() = %v", s.Err())
	}
}

func TestUnreadableFileFailsAtOnce(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	if _, err := Open(t.Context(), Config{File: filepath.Join(dir, "none", "store.db")}); err == nil {
		t.Error("a store in a missing directory was opened")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestReadsThatAreGivenUp: a read that its client cancels, at any moment, fails as
// canceled, and is no fault of the store.
func TestReadsThatAreGivenUp(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	for i := range 50 {
		put(t, c.KV, fmt.Sprintf("/registry/%d", i), strings.Repeat("x", 1000), 0)
	}
	canceled := 0
	for i := range 3000 {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(i%300)*2*time.Microsecond, cancel)
		_, _, err := s.backend.List(ctx, "/registry/", "/registry0", 0, 0, i%2 == 0)
		stop.Stop()
		cancel()
		switch {
		case errors.Is(err, context.Canceled):
			canceled++
		case err != nil:
			t.Fatal(err)
		}
	}
	if canceled == 0 {
		t.Error("no read was canceled: nothing is tested")
	}
}
