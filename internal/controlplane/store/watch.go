// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"github.com/k3s-io/kine/pkg/server"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// watches is kine's watch server without a fault: a watch that begins at an old revision reads the values of all keys since then, and drops those of
// other ranges afterwards. The API server resumes the watches of kinds without a watch cache every five to ten minutes, at the revision of the last
// change of their kind, however long ago that was. So each idle watch would read, again and again, the large revisions of any other kind.
//
// kine's backend is not told the range. It gets the context of the stream, which kine asks for right after it has received the request for
// the watch; here that context has the range.
type watches struct {
	etcdserverpb.WatchServer
}

// Watch implements [etcdserverpb.WatchServer].
func (w watches) Watch(stream etcdserverpb.Watch_WatchServer) error {
	return w.WatchServer.Watch(&watchStream{Watch_WatchServer: stream})
}

// watchStream is used by one goroutine, but for Send.
type watchStream struct {
	etcdserverpb.Watch_WatchServer

	newest *keyRange // of the watch that was last asked for; nil for all keys
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

// keyRange has the keys from first on and before end; without an end first only.
type keyRange struct{ first, end string }

type keyRangeKey struct{}

// compactKey is the one key that kine keeps under another name for its clients.
const compactKey = "compact_rev_key"

// rangeOf returns the range of a watch, nil for all keys.
func rangeOf(create *etcdserverpb.WatchCreateRequest) *keyRange {
	first, end := string(create.GetKey()), string(create.GetRangeEnd())
	if first == "" || first == "\x00" || end == "\x00" || first == compactKey {
		return nil
	}
	return &keyRange{first, end}
}

// After implements [logstructured.Log]. Without a key it is asked by a watch, whose range is in the context.
func (l *mendedLog) After(ctx context.Context, key, end string, revision, limit int64) (server.EventBatch, error) {
	if watched, ok := ctx.Value(keyRangeKey{}).(keyRange); ok && key == "" {
		key, end = watched.first, watched.end
	}
	return l.Log.After(ctx, key, end, revision, limit)
}
