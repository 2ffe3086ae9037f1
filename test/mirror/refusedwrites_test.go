// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moby/moby/client"
	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestRefusedWrites: the API server refuses every other write for a while, in
// every way that it can.
func TestRefusedWrites(t *testing.T) {
	engine, docker := newFake(t, fakedocker.Config{})
	flaky := &flakyTransport{}
	flaky.failing.Store(true)
	e := newEnvWith(t, docker, engine.Endpoint(), func(config *rest.Config) { config.Wrap(flaky.wrap) })
	e.create("moby", namespace)
	for i := range 10 {
		ids := engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
		_, err := docker.ContainerRemove(t.Context(), ids[0], client.ContainerRemoveOptions{Force: true})
		e.must(err)
		engine.AddImage(fmt.Sprintf("flaky:%d", i))
	}
	e.eventually("writes were refused", func() (bool, string) {
		n := flaky.refused.Load()
		return n > 20, fmt.Sprint(n)
	})
	flaky.failing.Store(false)
	e.equal("moby")
}

// flakyTransport refuses half of all writes while it is failing.
type flakyTransport struct {
	failing atomic.Bool
	refused atomic.Int64
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func (f *flakyTransport) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method == http.MethodGet || !f.failing.Load() || rand.IntN(2) == 0 {
			return next.RoundTrip(request)
		}
		f.refused.Add(1)
		switch rand.IntN(5) {
		case 0:
			return nil, errors.New("test: the connection broke")
		case 1:
			return refusal(request, http.StatusConflict, "Conflict"), nil
		case 2:
			return refusal(request, http.StatusInternalServerError, "InternalError"), nil
		case 3:
			return refusal(request, http.StatusGatewayTimeout, "Timeout"), nil
		}
		// It is done, and nobody learns of it.
		response, err := next.RoundTrip(request)
		if err == nil {
			_ = response.Body.Close()
		}
		return nil, errors.New("test: the answer was lost")
	})
}

func refusal(request *http.Request, code int, reason string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"database or disk is full","code":%d}`, reason, code)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Request: request, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
	}
}
