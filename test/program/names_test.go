// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// reserved are the ports that tests which run at the same time have. They are
// below those that the kernel gives to connections, of which it would else give
// one away between a daemon and the next.
var reserved = struct {
	mu    sync.Mutex
	ports map[int]bool // guarded by mu
	next  int          // guarded by mu
}{ports: map[int]bool{}, next: os.Getpid()} // other runs of the tests begin elsewhere

// reserve returns the first of many candidates whose port is free, for the
// length of the test. port returns the port of a candidate.
func reserve(t *testing.T, port func(candidate int) int) (candidate int) {
	t.Helper()
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	for range 10000 {
		reserved.next++
		candidate := reserved.next
		port := port(candidate)
		if reserved.ports[port] || !isFree(t, port) {
			continue
		}
		reserved.ports[port] = true
		t.Cleanup(func() {
			reserved.mu.Lock()
			defer reserved.mu.Unlock()
			delete(reserved.ports, port)
		})
		return candidate
	}
	t.Fatal("no port is free")
	return 0
}

func isFree(t *testing.T, port int) bool {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// takeName returns a name for an instance. The port that the instance prefers
// is free.
func takeName(t *testing.T) string {
	t.Helper()
	name := func(candidate int) string { return "t" + strconv.FormatInt(int64(candidate), 36) }
	return name(reserve(t, func(candidate int) int {
		inst, err := instance.In(name(candidate), os.TempDir(), func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		return inst.PreferredPort()
	}))
}

// takePort returns a port that is free, and is no instance's by its name.
func takePort(t *testing.T) int {
	t.Helper()
	port := func(candidate int) int { return 20000 + candidate%10000 }
	return port(reserve(t, port))
}

// TestNamesAreApart: no two instances have a name or a port in common.
func TestNamesAreApart(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		name := takeName(t)
		inst, err := instance.In(name, os.TempDir(), func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range []string{name, strconv.Itoa(inst.PreferredPort()), strconv.Itoa(takePort(t))} {
			if seen[own] {
				t.Errorf("%s was taken already", own)
			}
			seen[own] = true
		}
	}
}
