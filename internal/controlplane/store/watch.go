// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"github.com/k3s-io/kine/pkg/server"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// watches is kine's watch server with a fault corrected: a watch from an old revision
// reads the values of all keys since then, and drops those of other ranges afterwards.
// The API server resumes the watches of kinds without a watch cache every five to ten
// minutes, at the revision of their kind's last change, which may be old. Each idle
// watch would repeatedly read the revisions of all other kinds.
//
// kine does not pass the range to its backend, but the context of the stream, which it
// gets right after it has received the request for the watch: here that context has the
// range.
type watches struct {
	etcdserverpb.WatchServer
}

// Watch implements [etcdserverpb.WatchServer].
func (w watches) Watch(stream etcdserverpb.Watch_WatchServer) error {
	return w.WatchServer.Watch(&watchStream{Watch_WatchServer: stream})
}

// watchStream is for one goroutine, except Send.
type watchStream struct {
	etcdserverpb.Watch_WatchServer

	newest *keyRange // of the last requested watch; nil for all keys
}

// Recv implements [etcdserverpb.Watch_WatchServer].
func (s *watchStream) Recv() (*etcdserverpb.WatchRequest, error) {
	request, err := s.Watch_WatchServer.Recv()
	if create := request.GetCreateRequest(); err == nil && create != nil {
		s.newest = rangeOf(create)
	}
	return request, err
}

// Context implements [etcdserverpb.Watch_WatchServer].
func (s *watchStream) Context() context.Context {
	ctx := s.Watch_WatchServer.Context()
	if s.newest == nil {
		return ctx
	}
	return context.WithValue(ctx, keyRangeKey{}, *s.newest)
}

// keyRange has the keys from first to before end; without an end, only first.
type keyRange struct{ first, end string }

type keyRangeKey struct{}

// compactKey is the only key that kine stores under another name.
const compactKey = "compact_rev_key"

// rangeOf returns the range of a watch, nil for all keys.
func rangeOf(create *etcdserverpb.WatchCreateRequest) *keyRange {
	first, end := string(create.GetKey()), string(create.GetRangeEnd())
	if first == "" || first == "\x00" || end == "\x00" || first == compactKey {
		return nil
	}
	return &keyRange{first, end}
}

// After implements [logstructured.Log]. A call without a key is from a watch, whose
// range is in the context.
func (l *mendedLog) After(ctx context.Context, key, end string, revision, limit int64) (server.EventBatch, error) {
	if watched, ok := ctx.Value(keyRangeKey{}).(keyRange); ok && key == "" {
		key, end = watched.first, watched.end
	}
	return l.Log.After(ctx, key, end, revision, limit)
}
