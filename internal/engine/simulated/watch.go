// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// The file is read when nothing has happened to it for settle, as a program
	// may write it piece by piece; and at the latest after settleMax.
	settle    = 50 * time.Millisecond
	settleMax = 500 * time.Millisecond

	// historySize is how many events are kept for streams to read.
	historySize = 1 << 14
)

// Watch implements [engine.Engine]. The stream breaks when the file can't be
// served any more.
func (e *Engine) Watch(ctx context.Context, since time.Time, ready func(), sink func(engine.Event)) error {
	files, err := watchFile(e.path)
	if err != nil {
		return err
	}
	defer func() { _ = files.Close() }()
	if err := e.load(); err != nil {
		return err
	}
	next := e.eventsSince(since)
	ready()
	changed := newSettling()
	defer changed.Stop()
	for {
		var batch happened
		if batch, err = e.eventsFrom(next); err != nil {
			return err
		}
		for _, event := range batch.events {
			sink(event)
		}
		next = batch.next
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.closed:
			return errClosed
		case <-batch.more:
		case event := <-files.Events:
			if files.concerns(event) {
				changed.Touch(time.Now())
			}
		case err := <-files.Errors:
			return fmt.Errorf("watch %s: %w", e.path, err)
		case <-changed.C:
			changed.Reset()
			files.follow()
			_ = e.load() // a failure comes with the events
		}
	}
}

func (e *Engine) eventsSince(since time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.history.since(since)
}

func (e *Engine) eventsFrom(next int) (happened, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil {
		return happened{}, e.failure
	}
	return e.history.from(next)
}

// fileWatch tells of what happens in a file's directory: an editor may replace
// the file by another one, and that is nothing that happens to the file.
type fileWatch struct {
	*fsnotify.Watcher
	path string
	link bool
}

func watchFile(path string) (*fileWatch, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	w := &fileWatch{Watcher: watcher, path: path}
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		_ = watcher.Close()
		return nil, fmt.Errorf("watch %s: %w", filepath.Dir(path), err)
	}
	w.follow()
	return w, nil
}

// follow watches where the file is, if it is a link. One that leads nowhere
// has no other place.
func (w *fileWatch) follow() {
	info, err := os.Lstat(w.path)
	w.link = err == nil && info.Mode()&os.ModeSymlink != 0
	if !w.link {
		return
	}
	if target, err := filepath.EvalSymlinks(w.path); err == nil {
		_ = w.Add(filepath.Dir(target))
	}
}

// concerns reports whether an event may be about the file. Where that is a link
// everything may: a directory on the way may be a link that is changed.
func (w *fileWatch) concerns(event fsnotify.Event) bool {
	return w.link || strings.EqualFold(filepath.Base(event.Name), filepath.Base(w.path))
}

// settling is a timer that ends when nothing has happened for a while.
type settling struct {
	*time.Timer
	deadline time.Time // zero while nothing has happened
}

func newSettling() *settling {
	timer := time.NewTimer(0)
	timer.Stop()
	return &settling{Timer: timer}
}

// Touch says that something happened.
func (s *settling) Touch(now time.Time) {
	if s.deadline.IsZero() {
		s.deadline = now.Add(settleMax)
	}
	s.Timer.Reset(min(settle, s.deadline.Sub(now)))
}

// Reset says that what happened was dealt with.
func (s *settling) Reset() { s.deadline = time.Time{} }

// history has the newest events, in order. Streams read it at their own pace.
type history struct {
	first  int // the number of the first event that is kept
	events []engine.Event
	more   chan struct{} // closed and replaced when there is something new
}

func newHistory() history { return history{more: make(chan struct{})} }

// happened is what a stream reads at once.
type happened struct {
	events []engine.Event
	next   int             // where to read on
	more   <-chan struct{} // closed when there is more
}

// add records events.
func (h *history) add(events []engine.Event) {
	if len(events) == 0 {
		return
	}
	h.events = append(h.events, events...)
	if over := len(h.events) - historySize; over > 0 {
		h.events = append([]engine.Event(nil), h.events[over:]...)
		h.first += over
	}
	h.wake()
}

// wake makes streams look again.
func (h *history) wake() {
	close(h.more)
	h.more = make(chan struct{})
}

// since returns the number of the first event at or after a time.
func (h *history) since(t time.Time) int {
	for i := range h.events {
		if !h.events[i].At.Before(t) {
			return h.first + i
		}
	}
	return h.first + len(h.events)
}

// from returns the events from a number on.
func (h *history) from(next int) (happened, error) {
	if next < h.first {
		return happened{}, fmt.Errorf("more than %d changes at once: all must be compared", historySize)
	}
	return happened{events: h.events[next-h.first:], next: h.first + len(h.events), more: h.more}, nil
}
