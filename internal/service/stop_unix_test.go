// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// TestStopOfAnUnknownProcess: the error does not claim that an unidentified holder of
// the lock was killed.
func TestStopOfAnUnknownProcess(t *testing.T) {
	t.Parallel()
	inst, err := instance.In("x", t.TempDir(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	lock, err := inst.LockDaemon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = (&service.Service{Instance: inst}).Stop(ctx, true)
	if fault.KindOf(err) != fault.Deadline || !strings.Contains(err.Error(), "it was not killed") ||
		strings.Contains(err.Error(), "was killed (") || !strings.Contains(err.Error(), inst.LockFile()) {
		t.Errorf("%v", err)
	}
}
