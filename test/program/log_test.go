// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// log returns what the daemon has logged.
func (h *home) log() string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.path("log_dir"), "rdd.stderr.log"))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

// TestQuietLog: where nothing is wrong the log has no error, be it the first start or
// a later one, and the end as little.
func TestQuietLog(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for range 4 { // the kinds are found before or after the policies
		h.ok("service", "start")
		h.ok("set", "running=false")
		h.ok("service", "stop")
		if log := h.log(); strings.Contains(log, "level=ERROR") {
			t.Errorf("the log of a daemon that nothing ailed:\n%s", log)
		}
	}
}

// TestClientsThatGoAway: who gives up a request, at whichever moment, is no error of
// the daemon's.
func TestClientsThatGoAway(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	config := h.config()
	config.QPS = -1
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	gaveUp := 0
	for i := range 600 {
		path := []string{"/api/v1/namespaces", "/openapi/v3", "/apis/lima.rancherdesktop.io/v1alpha1/namespaces/default/limavms"}[i%3]
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		if err != nil {
			gaveUp++
		}
		cancel()
	}
	if gaveUp < 50 {
		t.Fatalf("only %d requests of 600 were given up", gaveUp)
	}
	h.ok("service", "stop") // what it does without a client comes to its end
	if log := h.log(); strings.Contains(log, "level=ERROR") {
		t.Errorf("%d requests were given up, and the log says:\n%s", gaveUp, log)
	}
}

// TestForegroundLog: everything that a daemon in the foreground writes to standard error is in
// its log as well, and the reason of its end.
func TestForegroundLog(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	daemon := h.spawn("rdd", "service", "serve", "--log-level", "debug")
	h.eventually("the daemon is ready", func() (bool, string) { return h.ready(), "" })
	h.ok("service", "stop")
	<-daemon.done
	log := h.log()
	contains(t, log, "Starting Controller", "msg=waiting", "logger=") // the libraries', too
	if said := daemon.stderr.String(); said != log {
		t.Errorf("the log is not what was said:\n%s\n\n%s", log, said)
	}

	if err := os.Truncate(filepath.Join(h.path("dir"), "store.db"), 0); err != nil {
		t.Fatal(err)
	}
	said := h.fails(1, []string{"damaged"}, "service", "serve").stderr
	if log := h.log(); said != log {
		t.Errorf("the log is not what was said:\n%s\n\n%s", log, said)
	}
}
