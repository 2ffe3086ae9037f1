// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestUnauthenticated: a client without a token gets nothing from any port of the
// daemon, but the four paths that say that it is there.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	token := h.config().BearerToken
	listeners := h.listeners(h.pid())
	if want := []string{"tcp " + h.status().Address}; fmt.Sprint(listeners) != fmt.Sprint(want) {
		t.Errorf("the daemon listens on %v, want %v", listeners, want)
	}
	open := map[string]bool{"/healthz": true, "/livez": true, "/readyz": true, "/version": true}
	for path := range open {
		if code, body := h.ask(http.MethodGet, path, "", nil); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	config := h.config()
	for _, path := range h.paths(token) {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			for _, wrong := range []string{"", "wrong"} {
				if open[path] {
					continue
				}
				if code, body := h.askAt(config, method, path, wrong, nil); code != http.StatusUnauthorized && code != http.StatusForbidden {
					t.Errorf("%s %s with the token %q: %d %s", method, path, wrong, code, body)
				}
			}
		}
	}
}

// listeners returns what a process listens on, as the kernel knows it.
func (h *home) listeners(pid int) []string {
	h.t.Helper()
	inodes := map[string]bool{}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "socket:[") {
			inodes[strings.Trim(target, "socket:[]")] = true
		}
	}
	var found []string
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		for _, fields := range h.procTable(table) {
			const listening, closed = "0A", "07" // UDP sockets are closed or connected
			if (fields[3] == listening || fields[3] == closed) && inodes[fields[9]] {
				found = append(found, strings.TrimSuffix(table, "6")+" "+address(fields[1]))
			}
		}
	}
	for _, fields := range h.procTable("unix") {
		const accepting = "00010000"
		if fields[3] == accepting && inodes[fields[6]] {
			found = append(found, "unix "+strings.Join(fields[7:], " "))
		}
	}
	return found
}

func (h *home) procTable(name string) [][]string {
	h.t.Helper()
	data, err := os.ReadFile("/proc/net/" + name)
	if err != nil {
		h.t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// address reads the kernel's notation: bytes in hexadecimal, the last one first,
// and a port.
func address(text string) string {
	host, port, _ := strings.Cut(text, ":")
	var ip net.IP
	for i := len(host); i >= 2; i -= 2 {
		b, _ := strconv.ParseUint(host[i-2:i], 16, 8)
		ip = append(ip, byte(b))
	}
	n, _ := strconv.ParseUint(port, 16, 16)
	return net.JoinHostPort(ip.String(), fmt.Sprint(n))
}

// paths returns all paths that the API server tells its administrator of, and
// some below them.
func (h *home) paths(token string) []string {
	h.t.Helper()
	_, body := h.ask(http.MethodGet, "/", token, nil)
	var index struct{ Paths []string }
	if err := json.Unmarshal([]byte(body), &index); err != nil || len(index.Paths) < 20 {
		h.t.Fatalf("the index: %s, %v", body, err)
	}
	paths := append(slices.Clone(index.Paths), "/", "/api/v1/secrets", "/api/v1/namespaces/rdd-system/configmaps/rdd-controller-manager",
		"/apis/containers.rancherdesktop.io/v1alpha1/containers", "/passthrough/demo/hello", "/passthrough/demo/websocket",
		"/debug/pprof/heap", "/openapi/v3/api/v1", "/metrics/controllers", "/readyz/store", "/livez/ping", "/version/")
	slices.Sort(paths)
	return slices.Compact(paths)
}
