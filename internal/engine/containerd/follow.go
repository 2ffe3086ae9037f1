// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// followPoll is the poll interval of a file without a watcher.
const followPoll = 250 * time.Millisecond

// followers report changes of files with one watcher: on Linux a user may have 128 in
// all programs (fs.inotify.max_user_instances). Without a watcher they poll. The zero
// value has no watcher yet.
type followers struct {
	mu      sync.Mutex
	watcher *fsnotify.Watcher                     // guarded by mu; nil while it watches no file
	files   map[string]map[chan struct{}]struct{} // guarded by mu; the channels for each watched file
	ended   chan struct{}                         // guarded by mu; closed when the watcher's goroutine has ended
}

// follow returns a channel that holds a value after the file at path has changed,
// until stop is called.
func (f *followers) follow(path string) (changed <-chan struct{}, stop func()) {
	signal := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchLocked(path) {
		if f.files[path] == nil {
			f.files[path] = map[chan struct{}]struct{}{}
		}
		f.files[path][signal] = struct{}{}
		return signal, func() { f.forget(path, signal) }
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		poll(ctx, path, signal)
	}()
	return signal, func() { cancel(); <-ended }
}

// watchLocked adds a file to the watcher, and reports whether that succeeded.
func (f *followers) watchLocked(path string) bool {
	if len(f.files[path]) > 0 {
		return true
	}
	if f.watcher == nil {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return false
		}
		f.watcher, f.files, f.ended = watcher, map[string]map[chan struct{}]struct{}{}, make(chan struct{})
		go f.pass(watcher, f.ended)
	}
	if f.watcher.Add(path) == nil {
		return true
	}
	f.closeUnusedLocked()
	return false
}

// pass forwards events until the watcher is closed.
func (f *followers) pass(watcher *fsnotify.Watcher, ended chan struct{}) {
	defer close(ended)
	for {
		select {
		case event, ok := <-watcher.Events:
			if !ok {
				return
			}
			f.notify(event.Name)
		case _, ok := <-watcher.Errors:
			if !ok {
				return
			}
			f.notify("") // events were lost
		}
	}
}

// notify notifies the followers of a file, or of all files if path is empty.
func (f *followers) notify(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for file, signals := range f.files {
		if path != "" && file != path {
			continue
		}
		for signal := range signals {
			notify(signal)
		}
	}
}

func notify(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default: // it holds a value
	}
}

func (f *followers) forget(path string, signal chan struct{}) {
	f.mu.Lock()
	delete(f.files[path], signal)
	if len(f.files[path]) == 0 {
		delete(f.files, path)
		_ = f.watcher.Remove(path) // fails if the file is gone
	}
	ended := f.closeUnusedLocked()
	f.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// closeUnusedLocked closes the watcher if it watches no file, and returns a channel
// that is closed when its goroutine has ended; nil if it still watches a file.
func (f *followers) closeUnusedLocked() (ended chan struct{}) {
	if len(f.files) > 0 {
		return nil
	}
	_ = f.watcher.Close()
	f.watcher = nil
	return f.ended
}

// poll polls a file until ctx ends.
func poll(ctx context.Context, path string, signal chan struct{}) {
	ticker := time.NewTicker(followPoll)
	defer ticker.Stop()
	var size int64
	var written time.Time
	for {
		if info, err := os.Stat(path); err == nil && (info.Size() != size || !info.ModTime().Equal(written)) {
			size, written = info.Size(), info.ModTime()
			notify(signal)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
