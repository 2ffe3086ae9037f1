// SPDX-License-Identifier: Apache-2.0

// Package registry is an image registry on loopback, for tests.
package registry

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is a running registry. It speaks plain HTTP, which engines take from
// loopback.
type Registry struct {
	tb     testing.TB
	server *httptest.Server

	mu   sync.Mutex
	rate int // guarded by mu; bytes a second of each layer; 0 for no limit
}

// Start runs an empty registry on the listener until the test ends.
func Start(tb testing.TB, listener net.Listener) *Registry {
	tb.Helper()
	r := &Registry{tb: tb}
	blobs := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	handler := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		rate := r.rate
		r.mu.Unlock()
		if rate > 0 && request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/") {
			w = &slow{ResponseWriter: w, request: request, rate: rate}
		}
		blobs.ServeHTTP(w, request)
	})
	r.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	r.server.Start()
	tb.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

// Host is its address, as in image references.
func (r *Registry) Host() string { return strings.TrimPrefix(r.server.URL, "http://") }

// SetRate limits how fast layers are served, in bytes a second; 0 is no limit.
func (r *Registry) SetRate(rate int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = rate
}

// Push makes an image of random layers, of size bytes each, and returns the
// reference to pull it by.
func (r *Registry) Push(repository string, layers int, size int64) string {
	r.tb.Helper()
	image, err := random.Image(size, int64(layers))
	if err == nil {
		config, configErr := image.ConfigFile()
		if configErr != nil {
			r.tb.Fatal(configErr)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", runtime.GOARCH
		config.Created = v1.Time{Time: time.Now()}
		image, err = mutate.ConfigFile(image, config)
	}
	if err != nil {
		r.tb.Fatal(err)
	}
	reference := r.Host() + "/" + repository
	target, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := remote.Write(target, image, remote.WithTransport(within{r.server.Config.Handler})); err != nil {
		r.tb.Fatal(err)
	}
	return reference
}

// Copy puts an image into another repository, too, and returns the references by
// its digest in both.
func (r *Registry) Copy(reference, repository string) (digests [2]string) {
	r.tb.Helper()
	source, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		r.tb.Fatal(err)
	}
	image, err := remote.Image(source, remote.WithTransport(within{r.server.Config.Handler}))
	if err != nil {
		r.tb.Fatal(err)
	}
	target, err := name.NewTag(r.Host()+"/"+repository, name.Insecure)
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := remote.Write(target, image, remote.WithTransport(within{r.server.Config.Handler})); err != nil {
		r.tb.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		r.tb.Fatal(err)
	}
	return [2]string{source.Context().Digest(digest.String()).String(), target.Context().Digest(digest.String()).String()}
}

// within asks a handler without a network: the registry's may be the engine's
// own.
type within struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t within) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body == nil {
		request = request.Clone(request.Context())
		request.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	t.handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

// slow writes an answer at a limited rate.
type slow struct {
	http.ResponseWriter
	request *http.Request
	rate    int
}

// piece is how much is written at once, in bytes.
const piece = 16 << 10

// Write implements [io.Writer].
func (s *slow) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 {
		n, err := s.ResponseWriter.Write(data[:min(piece, len(data))])
		written += n
		if err != nil {
			return written, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		data = data[n:]
		select {
		case <-s.request.Context().Done():
			return written, s.request.Context().Err()
		case <-time.After(time.Duration(n) * time.Second / time.Duration(s.rate)):
		}
	}
	return written, nil
}
