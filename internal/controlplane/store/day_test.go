// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/client/v3/kubernetes"
)

const (
	// A busy day: a container that comes and goes each nine seconds beside a
	// thousand that stay, and a compaction each five minutes.
	standing    = 1000
	livesOfADay = 10_000
	compactions = 288

	// crowded is how many objects are written and deleted at once.
	crowded = 10_000
)

// BenchmarkDay is what a day costs the store, in a minute: how large its files
// become, how much of that is live at the end, and how long a write takes beside
// compactions.
func BenchmarkDay(b *testing.B) {
	for b.Loop() {
		s := newScribe(b)
		for i := range standing {
			s.create(fmt.Sprint("/registry/standing/", i))
		}
		s.took = nil
		var file, log float64
		target := s.revision
		compacted := make(chan struct{})
		close(compacted)
		for i := range livesOfADay {
			s.live(fmt.Sprint("/registry/lives/", i))
			if i%(livesOfADay/compactions) == 0 {
				<-compacted
				compacted = s.compact(target) // as kine does: what was there the last time
				target = s.revision
				file, log = max(file, s.megabytes("")), max(log, s.megabytes("-wal"))
			}
		}
		<-compacted
		b.ReportMetric(float64(len(s.took)), "writes")
		s.report("write")
		b.ReportMetric(file, "MB-file-most")
		b.ReportMetric(log, "MB-log-most")
		b.ReportMetric(s.used(), "MB-used")
		s.end()
	}
}

// BenchmarkCompaction is how long a compaction holds up writes at worst: of the
// revisions that the first sync of many containers leaves, and of their removal.
// Then, what the file gives back in each of the compactions that follow.
func BenchmarkCompaction(b *testing.B) {
	for b.Loop() {
		s := newScribe(b)
		revisions := make([]int64, crowded)
		for i := range crowded {
			key := fmt.Sprint("/registry/crowd/", i)
			revisions[i] = s.update(key, s.create(key))
		}
		s.took = nil
		for range 1000 {
			s.live("/registry/one")
		}
		s.report("write-alone")
		s.beside("sync", s.compact(s.revision))
		for i, revision := range revisions {
			s.remove(fmt.Sprint("/registry/crowd/", i), revision)
		}
		b.ReportMetric(s.megabytes(""), "MB-file-full")
		s.beside("removal", s.compact(s.revision))
		for n := 1; n <= 3; n++ {
			b.ReportMetric(s.megabytes(""), fmt.Sprintf("MB-file-after-%d", n))
			for range 200 {
				s.live("/registry/one")
			}
			<-s.compact(s.revision)
		}
		s.end()
	}
}

// scribe writes to a store that compacts on request, and measures the times.
type scribe struct {
	b        *testing.B
	store    *Store
	client   *kubernetes.Client
	file     string
	revision int64 // of the last write
	took     []time.Duration
}

// object is about what the mirror writes for a container.
var object = []byte(strings.Repeat("x", 2<<10))

func newScribe(b *testing.B) *scribe {
	b.Helper()
	level := logrus.GetLevel()
	logrus.SetLevel(logrus.ErrorLevel) // kine tells of each compaction
	b.Cleanup(func() { logrus.SetLevel(level) })
	file := filepath.Join(b.TempDir(), "store.db")
	s, err := Open(b.Context(), Config{File: file, Version: "test", uncompacted: true})
	if err != nil {
		b.Fatal(err)
	}
	return &scribe{b: b, store: s, client: s.Client(), file: file}
}

func (s *scribe) end() {
	_ = s.client.Close()
	s.store.Close()
}

func (s *scribe) create(key string) int64 { return s.update(key, 0) }

func (s *scribe) update(key string, revision int64) int64 {
	begin := time.Now()
	response, err := s.client.OptimisticPut(s.b.Context(), key, object, revision, kubernetes.PutOptions{GetOnFailure: true})
	s.took = append(s.took, time.Since(begin))
	if err != nil || !response.Succeeded {
		s.b.Fatalf("write %s: %+v, %v", key, response, err)
	}
	s.revision = response.Revision
	return response.Revision
}

func (s *scribe) remove(key string, revision int64) {
	begin := time.Now()
	response, err := s.client.OptimisticDelete(s.b.Context(), key, revision, kubernetes.DeleteOptions{GetOnFailure: true})
	s.took = append(s.took, time.Since(begin))
	if err != nil || !response.Succeeded {
		s.b.Fatalf("delete %s: %+v, %v", key, response, err)
	}
	s.revision = response.Revision
}

// live writes what is written for a container from its creation to its removal.
func (s *scribe) live(key string) {
	revision := s.create(key)
	for range 4 { // status, start, stop, finalizer
		revision = s.update(key, revision)
	}
	s.remove(key, revision)
}

// compact starts a compaction, and returns a channel that is closed at its end.
func (s *scribe) compact(revision int64) chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.store.backend.Compact(s.b.Context(), revision) // of nothing new it is an error
	}()
	return done
}

// beside writes until a compaction has finished, and reports how long both took.
func (s *scribe) beside(name string, compacted chan struct{}) {
	begin := time.Now()
	s.took = nil
	for {
		select {
		case <-compacted:
			s.b.ReportMetric(time.Since(begin).Seconds(), "s-compaction-"+name)
			s.report("write-beside-" + name)
			return
		default:
			s.live("/registry/one")
		}
	}
}

// report reports how long writes took.
func (s *scribe) report(name string) {
	slices.Sort(s.took)
	for label, i := range map[string]int{"p50": len(s.took) / 2, "p99": len(s.took) * 99 / 100, "worst": len(s.took) - 1} {
		s.b.ReportMetric(float64(s.took[i].Microseconds())/1e3, "ms-"+name+"-"+label)
	}
}

// megabytes returns the size of one of the store's files.
func (s *scribe) megabytes(suffix string) float64 {
	info, err := os.Stat(s.file + suffix)
	if err != nil {
		s.b.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}

// used returns how much of the file is in use, in MB.
func (s *scribe) used() float64 {
	size, err := s.store.backend.DbSize(s.b.Context())
	if err != nil {
		s.b.Fatal(err)
	}
	return float64(size) / 1e6
}
