// SPDX-License-Identifier: Apache-2.0

//go:build unix

package limactl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"
)

// TestRealLimactl runs the client with a real limactl, which RDD_TEST_LIMACTL names, as
// a user who is not root. It starts no virtual machine.
func TestRealLimactl(t *testing.T) {
	path := os.Getenv("RDD_TEST_LIMACTL")
	if path == "" {
		t.Skip("RDD_TEST_LIMACTL names no limactl")
	}
	dir, err := os.MkdirTemp("", "lima") // short, for sockets
	must(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	image := filepath.Join(dir, "image.raw")
	must(t, os.WriteFile(image, make([]byte, 1<<20), 0o600))
	template := "images: [{location: " + image + "}]\nmounts: []\ncontainerd: {system: false, user: false}\ndisk: 2GiB\ncpus: 1\n" +
		"portForwards: [{guestSocket: /var/run/docker.sock, hostSocket: \"{{.Dir}}/sock/docker.sock\"}]\n"
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	defer func() { _ = log.Close() }()
	ctx := t.Context()
	c, err := Open(ctx, NewProbe(clock.RealClock{}), Places{Named: path}, filepath.Join(dir, "home"))
	must(t, err)

	must(t, c.Validate(ctx, template))
	if err := c.Validate(ctx, "images: ["); KindOf(err) != Invalid || !strings.Contains(err.Error(), "unmarshal") {
		t.Errorf("a template that is no YAML: %v", err)
	}
	if _, err := c.Get(ctx, "a"); KindOf(err) != NoInstance {
		t.Errorf("no instance: %v", err)
	}
	if err := c.Create(ctx, "b", strings.Replace(template, "image.raw", "nowhere", 1), log); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("an image that is not there: %v", err)
	}
	half, err := c.Get(ctx, "b")
	must(t, err)
	if half.Status != Stopped || !c.HalfMade(half, time.Now().Add(-time.Minute)) {
		t.Errorf("what a failed creation leaves: %+v", half)
	}
	must(t, c.Delete(ctx, "b", log))

	must(t, c.Create(ctx, "a", template, log))
	instance, err := c.Get(ctx, "a")
	must(t, err)
	if sockets := instance.Sockets(); instance.Status != Stopped || len(sockets) != 1 || sockets[0].Host != filepath.Join(c.Dir("a"), "sock/docker.sock") {
		t.Errorf("an instance: %+v", instance)
	}
	if applied, err := c.Applied("a"); err != nil || applied != template {
		t.Errorf("applied: %v: %s", err, applied)
	}
	if err := c.CheckEdit(ctx, "a", strings.Replace(template, "2GiB", "1GiB", 1)); KindOf(err) != Invalid || !strings.Contains(err.Error(), "shrinking") {
		t.Errorf("a disk that shrinks: %v", err)
	}
	larger := strings.Replace(template, "2GiB", "3GiB", 1)
	must(t, c.CheckEdit(ctx, "a", larger))
	if instance, err = c.Get(ctx, "a"); err != nil || has(t, c, "3GiB") {
		t.Errorf("a check has changed it: %v, %+v", err, instance)
	}
	must(t, c.Edit(ctx, "a", larger))
	must(t, c.Edit(ctx, "a", larger))
	if !has(t, c, "3GiB") {
		t.Error("an edit has changed nothing")
	}
	if err := c.Stop(ctx, "a", time.Minute, log); err == nil || !strings.Contains(err.Error(), "expected status") {
		t.Errorf("a stop of what is stopped: %v", err)
	}
	must(t, c.StopForced(ctx, "a", log))
	must(t, c.Delete(ctx, "a", log))
	must(t, c.Delete(ctx, "a", log))
	if _, err := os.Stat(c.Dir("a")); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
}

func has(t *testing.T, c *Client, text string) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Dir("a"), templateFile))
	must(t, err)
	return strings.Contains(string(data), text)
}
