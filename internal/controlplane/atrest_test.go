// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"testing"
	"time"

	"k8s.io/client-go/openapi"
)

func TestJointTimers(t *testing.T) {
	second := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		after, d, want time.Duration
	}{
		{0, time.Second, time.Second},
		{0, 1250 * time.Millisecond, time.Second},
		{time.Millisecond, 1100 * time.Millisecond, 999 * time.Millisecond},
		{800 * time.Millisecond, 1250 * time.Millisecond, 1200 * time.Millisecond},
		{800 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		if got := joint(second.Add(tt.after), tt.d); got != tt.want {
			t.Errorf("a timer of %s, %s after a whole second, takes %s, want %s", tt.d, tt.after, got, tt.want)
		}
	}
}

// answers is what the API server says of its documents, and counts how often.
type answers struct {
	openapi.Client
	asked int
	err   error
}

func (a *answers) Paths() (map[string]openapi.GroupVersion, error) {
	a.asked++
	return map[string]openapi.GroupVersion{}, a.err
}

func TestRememberedSchemas(t *testing.T) {
	source := &schemas{}
	inner := &answers{err: errors.New("not yet")}
	remembered := &rememberedSchemas{Client: inner, changed: &source.changed}
	for _, step := range []struct {
		name  string
		do    func()
		fails bool
		asks  int // of two questions
	}{
		{"a failure is not remembered", func() {}, true, 2},
		{"an answer is", func() { inner.err = nil }, false, 1},
		{"a change is asked for until it is settled", source.change, false, 2},
		{"and then no longer", func() { source.changed.Store(time.Now().Add(-2 * schemaSettle).UnixNano()) }, false, 0},
	} {
		step.do()
		before := inner.asked
		for range 2 {
			if _, err := remembered.Paths(); (err != nil) != step.fails {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		if got := inner.asked - before; got != step.asks {
			t.Errorf("%s: the API server is asked %d times, want %d", step.name, got, step.asks)
		}
	}
}
