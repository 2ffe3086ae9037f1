// SPDX-License-Identifier: Apache-2.0

// Package gates defines the steps of the daemon's start: an ordered list of named
// gates.
package gates

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"k8s.io/apiserver/pkg/server/healthz"
)

// The gates of the daemon, in order.
const (
	Store       = "store"       // the store is open
	APIServer   = "api-server"  // the API server serves its built-in kinds
	CRDs        = "crds"        // every enabled controller's kinds are served
	Admission   = "admission"   // every admission hook is ready
	Controllers = "controllers" // every controller's caches are synced
	Discovery   = "discovery"   // the manager's entry is written
	Announced   = "announced"   // the ready annotation is set
)

// Order has all gates.
var Order = []string{Store, APIServer, CRDs, Admission, Controllers, Discovery, Announced}

// Gates tracks which gates have been passed.
type Gates struct {
	order    []string
	onChange func(waiting string)

	mu     sync.Mutex
	passed int // guarded by mu; number of passed gates of order
}

// New returns gates, none of them passed. It calls onChange, which may be nil, after
// each one with the name of the next, which is empty at the end.
func New(order []string, onChange func(waiting string)) *Gates {
	return &Gates{order: order, onChange: onChange}
}

// Pass passes the gate. It panics if it is not the gate's turn: that is a bug.
func (g *Gates) Pass(gate string) {
	g.mu.Lock()
	if g.passed == len(g.order) || g.order[g.passed] != gate {
		g.mu.Unlock()
		panic(fmt.Sprintf("gate %q passed out of turn, %d passed before of %v", gate, g.passed, g.order))
	}
	g.passed++
	g.mu.Unlock()
	if g.onChange != nil {
		g.onChange(g.Waiting())
	}
}

// Waiting returns the first gate that is not passed; empty if all are.
func (g *Gates) Waiting() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.passed == len(g.order) {
		return ""
	}
	return g.order[g.passed]
}

// Checks returns a check for each gate, in order, for GET /readyz?verbose.
func (g *Gates) Checks() []healthz.HealthChecker {
	checks := make([]healthz.HealthChecker, len(g.order))
	for i, gate := range g.order {
		checks[i] = healthz.NamedCheck("gate-"+gate, func(*http.Request) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			if slices.Index(g.order, gate) >= g.passed {
				return fmt.Errorf("not passed yet")
			}
			return nil
		})
	}
	return checks
}
