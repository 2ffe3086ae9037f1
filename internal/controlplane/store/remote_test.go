// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/etcd"
)

func remote(t *testing.T, server, name string) *Remote {
	t.Helper()
	r, err := OpenRemote(t.Context(), RemoteConfig{
		Endpoint: datastore.Endpoint{Address: datastore.NewAddress(server)}, Name: name, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// TestRemote: instances share an etcd, and each erases what is its own.
func TestRemote(t *testing.T) {
	server := etcd.Start(t)
	one, two := remote(t, server, "rancher-desktop-1"), remote(t, server, "rancher-desktop-1-2")
	if !one.WatchProgress() {
		t.Error("a new etcd tells of the progress of watches")
	}
	c := one.Client()
	defer func() { _ = c.Close() }()
	watch := c.Watch(t.Context(), one.Prefix(), clientv3.WithPrefix())
	for i := range erasePage + 1 {
		put(t, c.KV, fmt.Sprint(one.Prefix(), "/", i), "one", 0)
	}
	put(t, c.KV, two.Prefix()+"/0", "two", 0)
	select {
	case response := <-watch:
		if len(response.Events) == 0 || string(response.Events[0].Kv.Value) != "one" {
			t.Errorf("the watch has %v", response)
		}
	case <-time.After(10 * time.Second):
		t.Error("the watch has nothing")
	}
	if err := one.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := c.KV.Get(t.Context(), "/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil || len(left.Kvs) != 2 || get(t, c.KV, two.Prefix()+"/0") != "two" || get(t, c.KV, two.recordKey()) == "" {
		t.Errorf("what is left: %v, %v", left, err)
	}
}

// TestRemoteNewer: what a newer program wrote is refused.
func TestRemoteNewer(t *testing.T) {
	server := etcd.Start(t)
	r := remote(t, server, "x")
	c := r.Client()
	defer func() { _ = c.Close() }()
	if _, err := c.Put(t.Context(), r.recordKey(), fmt.Sprintf(`{"format":%d,"version":"9.9"}`, format+1)); err != nil {
		t.Fatal(err)
	}
	_, err := OpenRemote(t.Context(), r.RemoteConfig)
	var newer *NewerError
	if !errors.As(err, &newer) || newer.Version != "9.9" {
		t.Errorf("got %v", err)
	}
}

func TestHasProgress(t *testing.T) {
	for text, want := range map[string]bool{
		"3.4.23": false, "3.4.31": true, "3.5.0": false, "3.5.12": false, "3.5.13": true, "3.6.0": true, "4.0.0": true, "?": false,
	} {
		if got := hasProgress(text); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
