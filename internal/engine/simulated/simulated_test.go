// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// patience is how long anything may take that must come true.
const patience = 30 * time.Second

// newEngine returns an engine for a file with the content, and the file.
func newEngine(t *testing.T, content string) (*Engine, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine #1.yaml")
	write(t, path, content)
	return openFile(t, path), path
}

func openFile(t *testing.T, path string) *Engine {
	t.Helper()
	e, err := New(Config{Endpoint: "file://" + strings.ReplaceAll(filepath.ToSlash(path), "#", "%23")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace does what many editors do to write a file.
func replace(t *testing.T, path, content string) {
	t.Helper()
	write(t, path+"~", content)
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// stream is a running Watch.
type stream struct {
	t      *testing.T
	events chan engine.Event
	broken chan error
}

func startStream(t *testing.T, e *Engine) *stream {
	t.Helper()
	info, err := e.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{t: t, events: make(chan engine.Event, 1000), broken: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan struct{})
	go func() {
		s.broken <- e.Watch(ctx, info.Clock, func() { close(ready) }, func(event engine.Event) { s.events <- event })
	}()
	t.Cleanup(cancel)
	select {
	case <-ready:
	case err := <-s.broken:
		t.Fatalf("the stream broke at once: %v", err)
	}
	return s
}

// next returns the next event.
func (s *stream) next() engine.Event {
	s.t.Helper()
	select {
	case event := <-s.events:
		return event
	case err := <-s.broken:
		s.t.Fatalf("the stream broke: %v", err)
	case <-time.After(patience):
		s.t.Fatal("no event")
	}
	return engine.Event{}
}

// end returns what the stream breaks with.
func (s *stream) end() error {
	s.t.Helper()
	select {
	case err := <-s.broken:
		return err
	case <-time.After(patience):
		s.t.Fatal("the stream does not break")
	}
	return nil
}

func volumeKey(name string) engine.Key { return engine.Key{Kind: engine.KindVolume, ID: name} }

func (s *stream) expect(key engine.Key, gone bool) {
	s.t.Helper()
	if event := s.next(); event.Key != key || event.Gone != gone {
		s.t.Fatalf("the event %+v, want one of %v, gone %t", event, key, gone)
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"unix:///a", "file://host/a", "file:", "file:///a?b", "file:///a#b", "file:///%zz"} {
		if _, err := New(Config{Endpoint: endpoint}); err == nil || !strings.Contains(err.Error(), endpoint) {
			t.Errorf("%s is accepted, or not named: %v", endpoint, err)
		}
	}
}

// TestIdentity: an engine is the same one as long as its file has its place.
func TestIdentity(t *testing.T) {
	first, path := newEngine(t, "{}")
	write(t, path, "volumes: [{name: a}]")
	again := openFile(t, path)
	elsewhere, _ := newEngine(t, "{}")
	ids := map[*Engine]string{}
	for _, e := range []*Engine{first, again, elsewhere} {
		info, err := e.Info(t.Context())
		if err != nil || info.Version != Version || time.Since(info.Clock) > patience {
			t.Fatalf("%+v, %v", info, err)
		}
		ids[e] = info.ID
	}
	if ids[first] != ids[again] || ids[first] == ids[elsewhere] {
		t.Errorf("two of one file and one of another are %v", ids)
	}
}

// TestChangesBecomeEvents: the file is written in place, replaced, and
// overwritten through a link.
func TestChangesBecomeEvents(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path, content string){"written": write, "replaced": replace} {
		t.Run(name, func(t *testing.T) {
			e, path := newEngine(t, "volumes: [{name: a}, {name: b}]")
			s := startStream(t, e)
			change(t, path, "volumes: [{name: a, driver: other}, {name: b}]")
			s.expect(volumeKey("a"), false)
			change(t, path, "volumes: [{name: b}]")
			s.expect(volumeKey("a"), true)
			change(t, path, "volumes: [{name: b}, {name: c}]\n# and a comment")
			s.expect(volumeKey("c"), false)
			if object, err := e.Inspect(t.Context(), volumeKey("c")); err != nil || object.Volume == nil {
				t.Errorf("after its event, c is %+v, %v", object, err)
			}
		})
	}
}

// TestLink: the file is a link into a directory that is itself a link, which is
// how Kubernetes mounts a ConfigMap.
func TestLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights that a test may not have on Windows")
	}
	dir := t.TempDir()
	for version, content := range map[string]string{"v1": "volumes: [{name: a}]", "v2": "volumes: [{name: b}]"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "file"), content)
	}
	link := func(target, name string) {
		t.Helper()
		if err := errors.Join(os.Symlink(target, filepath.Join(dir, "new")), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "current")
	link("current/file", "file")
	s := startStream(t, openFile(t, filepath.Join(dir, "file")))
	link("v2", "current")
	s.expect(volumeKey("a"), true)
	s.expect(volumeKey("b"), false)
	write(t, filepath.Join(dir, "file"), "volumes: [{name: b}, {name: c}]")
	s.expect(volumeKey("c"), false)
}

// TestBadFileBreaksTheStream: nothing is served, and nothing is said to be gone,
// until the file is mended.
func TestBadFileBreaksTheStream(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"invalid": {func(t *testing.T, path string) { t.Helper(); write(t, path, "volumes: [{nam: a}]") }, `volumes[0]: unknown field "nam"`},
		"emptied": {func(t *testing.T, path string) { t.Helper(); write(t, path, "") }, "it is empty"},
		"removed": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "engine #1.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			e, path := newEngine(t, "volumes: [{name: a}, {name: b}]")
			s := startStream(t, e)
			test.spoil(t, path)
			if err := s.end(); !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("the stream broke with %v, want the path and %q", err, test.want)
			}
			_, inspect := e.Inspect(t.Context(), volumeKey("a"))
			_, list := e.List(t.Context(), engine.KindVolume)
			_, info := e.Info(t.Context())
			for call, err := range map[string]error{"inspect": inspect, "list": list, "info": info, "remove": e.Remove(t.Context(), volumeKey("a"), engine.RemoveOptions{})} {
				if err == nil || errors.Is(err, engine.ErrNotFound) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s with a bad file: %v", call, err)
				}
			}
			write(t, path, "volumes: [{name: b}]")
			s = startStream(t, e)
			if _, err := e.Inspect(t.Context(), volumeKey("a")); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("what the mended file lacks: %v", err)
			}
			write(t, path, "volumes: [{name: b}, {name: c}]")
			s.expect(volumeKey("c"), false)
		})
	}
}

// TestInfoLooks: a change that the system does not report is seen when the
// engine is asked who it is.
func TestInfoLooks(t *testing.T) {
	e, path := newEngine(t, "{}")
	if _, err := e.Inspect(t.Context(), volumeKey("a")); !errors.Is(err, engine.ErrNotFound) {
		t.Fatal(err)
	}
	write(t, path, "volumes: [{name: a}]") // nothing watches
	if _, err := e.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Inspect(t.Context(), volumeKey("a")); err != nil {
		t.Error(err)
	}
}

const inUse = `
images: [{repoTag: web}, {repoTag: one, id: two}, {repoTag: two, id: two}, {id: old}, {repoTag: free}]
volumes: [{name: data}, {name: spare}]
containers:
- {name: a, id: a, imageName: web, mounts: [{type: volume, name: data, destination: /d}]}
- {name: b, id: b, imageName: two, status: exited}
- {name: c, id: c, image: old, imageName: gone}
`

// TestRemove: as in Docker, what is in use stays.
func TestRemove(t *testing.T) {
	image := func(id string) engine.Key { return engine.Key{Kind: engine.KindImage, ID: id} }
	container := func(id string) engine.Key { return engine.Key{Kind: engine.KindContainer, ID: id} }
	e, path := newEngine(t, inUse)
	s := startStream(t, e)
	for _, test := range []struct {
		key  engine.Key
		tag  string
		want error
	}{
		{volumeKey("data"), "", engine.ErrRefused},
		{volumeKey("none"), "", engine.ErrNotFound},
		{volumeKey("spare"), "", nil},
		{image(imageID("web:latest")), "web:latest", engine.ErrRefused},
		{image(imageID("web:latest")), "other:latest", engine.ErrNotFound},
		{image("old"), "", engine.ErrRefused},
		{image("two"), "one:latest", nil},
		{image("two"), "two:latest", engine.ErrRefused}, // the last tag of one in use
		{image(imageID("free:latest")), "free:latest", nil},
		{engine.Key{Kind: engine.KindNamespace, ID: defaultNamespace}, "", errors.ErrUnsupported},
		{container("a"), "", nil}, // running
		{container("a"), "", engine.ErrNotFound},
		{volumeKey("data"), "", nil}, // and now it is free
		{image(imageID("web:latest")), "web:latest", nil},
	} {
		err := e.Remove(t.Context(), test.key, engine.RemoveOptions{Tag: test.tag})
		if !errors.Is(err, test.want) || (test.want == nil) != (err == nil) {
			t.Errorf("remove %v %s: %v, want %v", test.key, test.tag, err, test.want)
		}
		if err == nil {
			s.expect(test.key, test.tag != "one:latest")
			if _, err := e.Inspect(t.Context(), test.key); test.tag != "one:latest" && !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("%v was removed and is there: %v", test.key, err)
			}
		}
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != inUse {
		t.Errorf("the file was written: %v", err)
	}
}

// TestRemovedStaysAway: until its own entry changes, or the engine is opened
// again.
func TestRemovedStaysAway(t *testing.T) {
	e, path := newEngine(t, "volumes: [{name: a}, {name: b}]")
	s := startStream(t, e)
	remove := func() {
		t.Helper()
		if err := e.Remove(t.Context(), volumeKey("a"), engine.RemoveOptions{}); err != nil {
			t.Fatal(err)
		}
		s.expect(volumeKey("a"), true)
	}
	remove()
	write(t, path, "volumes: [{name: a}, {name: b, driver: other}]") // another entry changes
	s.expect(volumeKey("b"), false)
	write(t, path, "volumes: [{name: a, driver: other}, {name: b, driver: other}]")
	s.expect(volumeKey("a"), false)
	remove()
	write(t, path, "volumes: [{name: b}]") // its entry goes, and comes again
	s.expect(volumeKey("b"), false)
	write(t, path, "volumes: [{name: a, driver: other}, {name: b}]")
	s.expect(volumeKey("a"), false)
	remove()
	if _, err := openFile(t, path).Inspect(t.Context(), volumeKey("a")); err != nil {
		t.Errorf("in an engine that is opened again: %v", err)
	}
}

// TestMissedEventsAreReplayed: a stream begins at the requested time.
func TestMissedEventsAreReplayed(t *testing.T) {
	e, _ := newEngine(t, "volumes: [{name: a}]")
	info, err := e.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Remove(t.Context(), volumeKey("a"), engine.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen []engine.Event
	_ = e.Watch(ctx, info.Clock, func() {}, func(event engine.Event) {
		seen = append(seen, event)
		cancel()
	})
	if len(seen) != 1 || !seen[0].Gone {
		t.Errorf("a stream from before the removal has %v", seen)
	}
}

// TestManyChangesBreakTheStream: a stream breaks if it can't deliver all events.
func TestManyChangesBreakTheStream(t *testing.T) {
	h := newHistory()
	h.add(make([]engine.Event, 10))
	if got, err := h.from(4); err != nil || len(got.events) != 6 || got.next != 10 {
		t.Errorf("of ten events, from the fourth on: %d, next %d, %v", len(got.events), got.next, err)
	}
	h.add(make([]engine.Event, historySize))
	if _, err := h.from(4); err == nil {
		t.Error("events were lost, and the stream does not break")
	}
	if got, err := h.from(10); err != nil || len(got.events) != historySize {
		t.Errorf("what is kept: %d, %v", len(got.events), err)
	}
}

func TestCloseEndsTheStream(t *testing.T) {
	e, _ := newEngine(t, "{}")
	s := startStream(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.end(); !errors.Is(err, errClosed) {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := e.List(t.Context(), engine.KindVolume); !errors.Is(err, errClosed) {
		t.Errorf("a list after the end: %v", err)
	}
}

// TestSettling: a file that is written all the time is still read.
func TestSettling(t *testing.T) {
	s := newSettling()
	defer s.Stop()
	began := time.Now()
	ticker := time.NewTicker(settle / 5)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.Touch(time.Now())
		case <-s.C:
			return
		}
		if time.Since(began) > patience {
			t.Fatal("the file is never read")
		}
	}
}

// TestObjectsAreCopies: what is done to an object is not done to the engine's.
func TestObjectsAreCopies(t *testing.T) {
	e, _ := newEngine(t, "volumes: [{name: a, labels: {k: v}}]\nimages: [{repoTag: i, labels: {k: v}}]\ncontainers: [{name: c, id: c, imageName: i, labels: {k: v}}]")
	labels := func(key engine.Key) map[string]string {
		t.Helper()
		object, err := e.Inspect(t.Context(), key)
		switch {
		case err != nil:
			t.Fatal(err)
		case object.Container != nil:
			return object.Container.Labels
		case object.Volume != nil:
			return object.Volume.Labels
		}
		return object.Images[0].Labels
	}
	for _, key := range []engine.Key{volumeKey("a"), {Kind: engine.KindImage, ID: "i"}, {Kind: engine.KindContainer, ID: "c"}} {
		labels(key)["k"] = "changed"
		if got := labels(key)["k"]; got != "v" {
			t.Errorf("%v was changed from outside: %s", key, got)
		}
	}
}
