// SPDX-License-Identifier: Apache-2.0

// Package etcd is a real etcd on loopback, in the test's own process.
package etcd

import (
	"net/url"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
)

// Start runs an etcd until the test ends, and returns its URL.
func Start(tb testing.TB) string {
	tb.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = tb.TempDir()
	cfg.LogLevel = "fatal" // its end is no news
	free := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{free}, []url.URL{free}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	<-e.Server.ReadyNotify()
	return "http://" + e.Clients[0].Addr().String()
}
