// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func TestBatchProgress(t *testing.T) {
	b := newBatch()
	var keys []engine.Key
	for i := range 20000 {
		keys = append(keys, containerKey(fmt.Sprint(i)))
	}
	b.add(keys)
	b.add(keys[:10])
	for _, key := range keys[:4200] {
		b.finish(key)
		b.finish(key)
	}
	if got := b.progress(); got != "4,200 of 20,000 containers" {
		t.Error(got)
	}
	for _, key := range keys[:19950] {
		b.finish(key)
	}
	if got := b.progress(); got != "" {
		t.Errorf("where little is left: %s", got)
	}
	if got := thousands(1234567) + " " + thousands(12) + " " + thousands(999); got != "1,234,567 12 999" {
		t.Error(got)
	}
}
