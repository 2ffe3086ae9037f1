// SPDX-License-Identifier: Apache-2.0

package moby_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
)

const (
	containersPath = "/v1.41/containers/json"
	imagesPath     = "/v1.41/images/json"
	volumesPath    = "/v1.41/volumes"
	networksPath   = "/v1.41/networks"
	someID         = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	inspectPath    = "/v1.41/containers/" + someID + "/json"
)

// peer is what answers at an endpoint. It counts what it could send.
type peer struct {
	sent   atomic.Int64
	engine *moby.Engine
}

// newPeer returns one that answers each path as the map says, and pings.
func newPeer(t *testing.T, network string, answers map[string]http.HandlerFunc) *peer {
	t.Helper()
	p := &peer{}
	dir, err := os.MkdirTemp("", "pe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	address := filepath.Join(dir, "s")
	if network == "tcp" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", "1.41")
			return
		}
		answer := answers[r.URL.Path]
		if answer == nil {
			t.Errorf("the engine was asked for %s", r.URL.Path)
			return
		}
		answer(&countingWriter{w, &p.sent}, r)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	if p.engine, err = moby.New(moby.Config{Endpoint: network + "://" + listener.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.engine.Close() })
	return p
}

type countingWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

// Flush implements [http.Flusher].
func (w *countingWriter) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// body answers with JSON text.
func body(text string) http.HandlerFunc { return typed("application/json", http.StatusOK, text) }

func typed(kind string, status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// endless answers with a text that is repeated until the client goes, or until it
// has read as much as no client should.
func endless(status int, begin, repeated string) http.HandlerFunc {
	const far = 400 << 20
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, begin)
		block := strings.Repeat(repeated, max(1, (64<<10)/len(repeated)))
		for sent := 0; sent < far && r.Context().Err() == nil; sent += len(block) {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
}

func asks(p *peer, what string) func(context.Context) error {
	return func(ctx context.Context) error {
		var err error
		switch what {
		case "info":
			_, err = p.engine.Info(ctx)
		case "inspect":
			_, err = p.engine.Inspect(ctx, engine.Key{Kind: engine.KindContainer, ID: someID})
		case "pull":
			_, err = p.engine.Pull(ctx, "", "busybox:latest", func(containersv1alpha1.PullProgress) {})
		case "watch":
			err = p.engine.Watch(ctx, time.Now(), func() {}, func(engine.Event) {})
		default:
			_, err = p.engine.List(ctx, engine.Kind(what))
		}
		return err
	}
}

// TestEndlessAnswers: what has no end is given up at a limit, with an error that
// says so, and the rest of it is not read.
func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	entry := `{"Id":"` + someID + `","Names":["/a"],"Labels":{"a":"` + strings.Repeat("x", 900) + `"}},`
	for name, test := range map[string]struct {
		path, ask string
		answer    http.HandlerFunc
		limit     int64 // MiB
		want      string
	}{
		"containers":         {containersPath, "container", endless(200, "[", entry), 64, "list of containers is larger than 64 MiB"},
		"one container":      {containersPath, "container", endless(200, `[{"Id":"`, "x"), 16, "an entry of the engine's list of containers is larger than 16 MiB"},
		"tiny containers":    {containersPath, "container", endless(200, "[", `{"Id":"a"},`), 4, "more than 100000 entries"},
		"space":              {containersPath, "container", endless(200, "[", " "), 16, "larger than 16 MiB"},
		"images":             {imagesPath, "image", endless(200, "[", entry), 32, "list of images is larger than 32 MiB"},
		"volumes":            {volumesPath, "volume", endless(200, `{"Volumes":[`, `{"Name":"`+strings.Repeat("x", 900)+`"},`), 32, "list of volumes is larger than 32 MiB"},
		"networks":           {networksPath, "network", endless(200, "[", entry), 32, "list of networks is larger than 32 MiB"},
		"beside the volumes": {volumesPath, "volume", endless(200, `{"Other":"`, "x"), 16, "larger than 16 MiB"},
		"info":               {"/v1.41/info", "info", endless(200, `{"ID":"`, "x"), 4, "larger than 4 MiB"},
		"an inspection":      {inspectPath, "inspect", endless(200, `{"Id":"`, "x"), 16, "larger than 16 MiB"},
		"mounts":             {inspectPath, "inspect", endless(200, `{"Mounts":[`, `{},`), 4, "more than 1000000 values"},
		"an error":           {inspectPath, "inspect", endless(500, `{"message":"`, "x"), 1, "xxxx"},
		"an event":           {"/v1.41/events", "watch", endless(200, `{"Type":"`, "x"), 1, "an event of the engine is larger than 1 MiB"},
		"a pull":             {"/v1.41/images/create", "pull", endless(200, `{"status":"`, "x"), 1, "a message of the pull is larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, "unix", map[string]http.HandlerFunc{test.path: test.answer})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := asks(p, test.ask)(ctx)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %.300v, want one with %q", err, test.want)
			}
			// What the kernel and the server hold is not read.
			if sent, most := p.sent.Load(), (test.limit+4)<<20; sent > most {
				t.Errorf("the engine could send %d bytes, want %d at the most", sent, most)
			}
		})
	}
}

// TestManyContainersFit: no limit is in the way of an engine that has a lot.
func TestManyContainersFit(t *testing.T) {
	t.Parallel()
	const many = 20_000
	var list strings.Builder
	for i := range many {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"Id":"%064x","Names":["/c%d"],"State":"running","Labels":{"a":"%s"}}`, i, i, strings.Repeat("x", 1500))
	}
	p := newPeer(t, "unix", map[string]http.HandlerFunc{containersPath: body("[" + list.String() + "]")})
	items, err := p.engine.List(t.Context(), engine.KindContainer)
	if err != nil || len(items) != many {
		t.Fatalf("%d items, error %v", len(items), err)
	}
	known := containersv1alpha1.ContainerStatus{Name: "c7", Status: "running", Labels: map[string]string{"a": strings.Repeat("x", 1500)}}
	if !items[7].Current(engine.Object{Container: &known}, time.Now()) {
		t.Error("a container that is as it is known is not current")
	}
	known.Name = "other"
	if items[7].Current(engine.Object{Container: &known}, time.Now()) {
		t.Error("a container with another name is current")
	}
}

// TestInvalidLists: what is no list is not taken for an empty one, which would
// remove all mirrors.
func TestInvalidLists(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"empty":          body(""),
		"null":           body("null"),
		"a string":       body(`"none"`),
		"another object": body(`{"message":"hello"}`),
		"half":           body(`[{"Id":"` + someID + `"},`),
		"half of it":     body(`{"Volumes":[`),
		"text after it":  body("[]]"),
		"two":            body("[][]"),
		"a web page":     typed("text/html", 200, "[]"),
		"of no type":     typed("application/octet-stream", 200, "[]"),
		"no content":     typed("", 204, ""),
		"created":        typed("application/json", 201, "[]"),
		"moved": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			typed("application/json", 301, "[]")(w, r)
		},
		"unchanged":          typed("application/json", 304, ""),
		"hangs up":           func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"the list is a text": body(`{"Volumes":"none"}`),
	} {
		for path, kind := range map[string]engine.Kind{containersPath: engine.KindContainer, imagesPath: engine.KindImage, volumesPath: engine.KindVolume, networksPath: engine.KindNetwork} {
			t.Run(name+" for "+string(kind)+"s", func(t *testing.T) {
				t.Parallel()
				p := newPeer(t, "unix", map[string]http.HandlerFunc{path: answer, "/elsewhere": body("[]")})
				if items, err := p.engine.List(t.Context(), kind); err == nil {
					t.Errorf("a list with %d items, and no error", len(items))
				}
			})
		}
	}
	for path, texts := range map[string][]string{
		containersPath: {"[]", "[ ]\n"}, imagesPath: {"[]"}, networksPath: {"[]"},
		volumesPath: {`{"Volumes":[],"Warnings":null}`, `{"Volumes":null,"Warnings":null}`, `{"Warnings":["a"],"Volumes":[]}`},
	} {
		for _, text := range texts {
			kind := map[string]engine.Kind{containersPath: engine.KindContainer, imagesPath: engine.KindImage, volumesPath: engine.KindVolume, networksPath: engine.KindNetwork}[path]
			p := newPeer(t, "unix", map[string]http.HandlerFunc{path: body(text)})
			if items, err := p.engine.List(t.Context(), kind); err != nil || len(items) != 0 {
				t.Errorf("%s for %ss, as engines say that there are none: %d items, error %v", text, kind, len(items), err)
			}
		}
	}
}

// TestInvalidObjects: an answer that is not of the object that was asked for is
// none.
func TestInvalidObjects(t *testing.T) {
	t.Parallel()
	const other = "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	image := engine.Key{Kind: engine.KindImage, ID: "sha256:" + someID}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		fits   bool
	}{
		"empty":      {answer: body("")},
		"null":       {answer: body("null")},
		"a list":     {answer: body("[]")},
		"no ID":      {answer: body("{}")},
		"half":       {answer: body(`{"Id":"` + someID + `","Name":"` + someID + `"`)},
		"another":    {answer: body(`{"Id":"` + other + `","Name":"` + other + `"}`)},
		"the other":  {answer: body(`{"Id":"sha256:` + other + `","Name":"` + other + `"}`)},
		"a web page": {answer: typed("text/html", 200, `{"Id":"`+someID+`","Name":"`+someID+`"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, "unix", map[string]http.HandlerFunc{
				inspectPath: test.answer, "/v1.41/volumes/" + someID: test.answer, "/v1.41/networks/" + someID: test.answer, "/v1.41/images/" + image.ID + "/json": test.answer,
			})
			for _, key := range []engine.Key{{Kind: engine.KindContainer, ID: someID}, {Kind: engine.KindVolume, ID: someID}, {Kind: engine.KindNetwork, ID: someID}, image} {
				if object, err := p.engine.Inspect(t.Context(), key); err == nil {
					t.Errorf("the %s: %+v, and no error", key.Kind, object)
				}
			}
		})
	}
	p := newPeer(t, "unix", map[string]http.HandlerFunc{inspectPath: body(`{"Id":"` + someID + `","Name":"/a"}`), "/v1.41/containers/a/json": body(`{"Id":"` + someID + `","Name":"/a"}`)})
	for _, id := range []string{someID, "a"} {
		if _, err := p.engine.Inspect(t.Context(), engine.Key{Kind: engine.KindContainer, ID: id}); err != nil {
			t.Errorf("by %q: %v", id, err)
		}
	}
}

func TestInvalidInfo(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "[]", "{}", `{"ID":"`} {
		p := newPeer(t, "unix", map[string]http.HandlerFunc{"/v1.41/info": body(text)})
		if info, err := p.engine.Info(t.Context()); err == nil {
			t.Errorf("%q: %+v, and no error", text, info)
		}
	}
	p := newPeer(t, "unix", map[string]http.HandlerFunc{"/v1.41/info": body(`{"ID":"a","Name":"b","DockerRootDir":"/c"}`)})
	if info, err := p.engine.Info(t.Context()); err != nil || info.ID != "a" {
		t.Errorf("%+v, error %v", info, err)
	}
}

// TestOddIDs: an entry without a usable ID is left out, and the list says so. An
// empty ID would stand for all of its kind.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	for kind, path := range map[engine.Kind]string{engine.KindContainer: containersPath, engine.KindImage: imagesPath, engine.KindVolume: volumesPath, engine.KindNetwork: networksPath} {
		for name, id := range map[string]string{
			"empty": `""`, "null": "null", "a number": "7", "huge": `"` + strings.Repeat("x", 5000) + `"`,
			"a control character": `"a\u001b[2Jb"`, "not UTF-8": "\"a\xffb\"", "a surrogate": `"\ud800"`, "another path": `"../../info"`,
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				entry := func(id string) string { return `{"Id":` + id + `,"Name":` + id + `}` }
				text := "[" + entry(`"`+someID+`"`) + "," + entry(id) + "," + entry(`"`+someID+`"`) + "]"
				if kind == engine.KindVolume {
					text = `{"Volumes":` + text + "}"
				}
				p := newPeer(t, "unix", map[string]http.HandlerFunc{path: body(text)})
				items, err := p.engine.List(t.Context(), kind)
				for _, item := range items {
					if item.Key.ID != someID {
						t.Errorf("an item has the ID %q", item.Key.ID)
					}
				}
				if len(items) == 0 || err == nil {
					t.Errorf("%d items, error %v: want the others, and that one is left out", len(items), err)
				}
			})
		}
	}
}

// TestOddEvents: an event that names nothing is none, and one that can't be read
// spoils no other.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	event := func(id string) string {
		return `{"Type":"container","Action":"start","Actor":{"ID":` + id + `}}` + "\n"
	}
	text := event(`""`) + event(`"`+strings.Repeat("x", 5000)+`"`) + event(`"a\u0007"`) +
		`{"Type":"volume","Action":"prune","Actor":{"ID":""}}` + "\n" + "\x1e\n\n" +
		`{"Type":"container","Action":7}` + "\n" + `{"Type":"network","Action":7}` + "\n" + `{"Type":7}` + "\n" + event(`"`+someID+`"`)
	p := newPeer(t, "unix", map[string]http.HandlerFunc{"/v1.41/events": body(text)})
	var got []string
	err := p.engine.Watch(t.Context(), time.Now(), func() {}, func(e engine.Event) { got = append(got, string(e.Key.Kind)+" "+e.Key.ID) })
	want := []string{"volume ", "container ", " ", " ", "container " + someID}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events %q, want %q (%v)", got, want, err)
	}
	if err == nil || !strings.Contains(err.Error(), "ended the event stream") {
		t.Errorf("the end of the stream: %v", err)
	}
}

// TestForeignText: what answers at an endpoint may be anything, and its text is
// nothing for a status.
func TestForeignText(t *testing.T) {
	t.Parallel()
	const secret = "root:x:0:0"
	for name, answer := range map[string]http.HandlerFunc{
		"an error":                 typed("text/plain", 500, secret),
		"an error in JSON":         typed("application/json", 500, `{"error":"`+secret+`"}`),
		"an error of another type": typed("application/json", 404, `"`+secret+`"`),
		"text":                     typed("text/plain", 200, secret),
		"JSON":                     body(secret),
	} {
		p := newPeer(t, "tcp", map[string]http.HandlerFunc{"/v1.41/info": answer})
		_, err := p.engine.Info(t.Context())
		if err == nil || strings.Contains(err.Error(), "root") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	p := newPeer(t, "tcp", map[string]http.HandlerFunc{"/v1.41/info": typed("application/json", 500, `{"message":"the disk is full"}`)})
	if _, err := p.engine.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("an engine's own words: %v", err)
	}
}

// TestHeaders: neither headers without end nor a compressed answer get past the
// limits.
func TestHeaders(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "tcp", map[string]http.HandlerFunc{
		containersPath: func(w http.ResponseWriter, _ *http.Request) {
			for i := range 500 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
			_, _ = io.WriteString(w, "[]")
		},
		imagesPath: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				_, _ = io.WriteString(w, "[]")
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, "["+strings.Repeat(" ", 1<<20)+"]")
			_ = zip.Close()
			t.Error("the client takes compressed answers")
		},
	})
	if _, err := p.engine.List(t.Context(), engine.KindContainer); err == nil {
		t.Error("500 kB of headers are taken")
	}
	if _, err := p.engine.List(t.Context(), engine.KindImage); err != nil {
		t.Error(err)
	}
}

// TestTrickle: an answer that comes a byte at a time ends with its call.
func TestTrickle(t *testing.T) {
	t.Parallel()
	trickle := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "["); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	p := newPeer(t, "unix", map[string]http.HandlerFunc{containersPath: trickle, inspectPath: trickle})
	for _, what := range []string{"container", "inspect"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		err := asks(p, what)(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "in time") || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %v after %s", what, err, time.Since(began))
		}
	}
}

// TestPullOfEndlessLayers: the progress of a pull has a limit, and its sums have
// all layers in them.
func TestPullOfEndlessLayers(t *testing.T) {
	t.Parallel()
	const many = 3000
	p := newPeer(t, "unix", map[string]http.HandlerFunc{
		"/v1.41/images/create": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for i := range many {
				fmt.Fprintf(w, `{"status":"Downloading","id":"layer%d","progressDetail":{"current":10,"total":20}}`+"\n", i)
			}
			fmt.Fprintf(w, `{"status":"Downloading","id":"%s","progressDetail":{"current":-5,"total":9223372036854775807}}`+"\n", strings.Repeat("x", 100_000))
		},
		"/v1.41/images/busybox:latest/json": body(`{"Id":"sha256:` + someID + `","RepoTags":["busybox:latest"]}`),
	})
	var before, last containersv1alpha1.PullProgress
	longest := 0
	_, err := p.engine.Pull(t.Context(), "", "busybox:latest", func(progress containersv1alpha1.PullProgress) {
		before, last = last, progress
		longest = max(longest, len(progress.Layers))
	})
	if err != nil {
		t.Fatal(err)
	}
	if longest > 128 {
		t.Errorf("a progress has %d layers", longest)
	}
	if before.CurrentBytes != 10*many || before.TotalBytes != 20*many {
		t.Errorf("%d of %d bytes, want all layers", before.CurrentBytes, before.TotalBytes)
	}
	var current, total int64
	for _, layer := range before.Layers {
		current, total = current+layer.CurrentBytes, total+layer.TotalBytes
	}
	if current != before.CurrentBytes || total != before.TotalBytes {
		t.Errorf("the layers have %d of %d bytes, and the sum is %d of %d", current, total, before.CurrentBytes, before.TotalBytes)
	}
	if last.TotalBytes < 0 || last.CurrentBytes < 0 {
		t.Errorf("extreme sizes: %d of %d bytes", last.CurrentBytes, last.TotalBytes)
	}
	for _, layer := range last.Layers {
		if len(layer.ID) > 1000 {
			t.Errorf("a layer's ID has %d bytes", len(layer.ID))
		}
	}
}
