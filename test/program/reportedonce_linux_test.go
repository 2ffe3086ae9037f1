// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	corev1 "k8s.io/api/core/v1"
)

// TestReportedOnce: a failure that is tried again and again is one Event of the App
// and one line in the log, though each error is about a file of another name.
func TestReportedOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 0)
	dir := filepath.Join(h.dir, ".docker")
	mount(t, dir, 0, "size=64k")
	fill(t, filepath.Join(dir, "ballast"))
	tries := make(chan struct{}, 100)
	h.ok("service", "start")
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(dir); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the watcher
		for event := range watcher.Events {
			if event.Has(fsnotify.Create) && filepath.Base(event.Name) == ".rdd.lock" {
				tries <- struct{}{}
			}
		}
	}()
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	for range 4 {
		select {
		case <-tries:
		case <-time.After(patience):
			t.Fatal("it is not tried again")
		}
	}
	var events corev1.EventList
	if err := h.client().List(t.Context(), &events); err != nil {
		t.Fatal(err)
	}
	var messages []string
	for i := range events.Items {
		if e := &events.Items[i]; e.Reason == "ContextFailed" {
			messages = append(messages, e.Message)
			if e.Count > 1 {
				t.Errorf("it is reported %d times", e.Count)
			}
		}
	}
	if len(messages) != 1 || !strings.Contains(messages[0], "meta.json: no space left on device") {
		t.Errorf("the Events are %q", messages)
	}
	log, err := os.ReadFile(h.instance().StderrLog())
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(log), "updating the Docker context failed"); lines != 1 {
		t.Errorf("%d lines in the log:\n%s", lines, log)
	}
}
