// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/docker/go-connections/sockets"
	"github.com/moby/moby/client"
)

const (
	// idleConns are kept open, as many as there are calls at the same time.
	idleConns       = 16
	idleConnTimeout = 30 * time.Second
)

// newHTTPClient returns a client that takes the route, for the API's client to
// be given.
func newHTTPClient(route *route) (*http.Client, *http.Transport, error) {
	url, err := client.ParseHostURL(route.host)
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{
		MaxIdleConns:        idleConns,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     idleConnTimeout,
	}
	if route.dial != nil {
		// No proxy: it would have to be led through, too.
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return route.dial(ctx) }
	} else if err := sockets.ConfigureTransport(transport, url.Scheme, url.Host); err != nil {
		return nil, nil, err
	}
	return &http.Client{
		Transport:     captureTransport{explainTransport{transport, route.explain}},
		CheckRedirect: client.CheckRedirect,
	}, transport, nil
}

// captureKey is the key of a *[]byte in a request's context.
type captureKey struct{}

// captureTransport puts the body of an answer aside for who asks for it through
// the request's context; the API's client then reads null.
type captureTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t captureTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	body, ok := request.Context().Value(captureKey{}).(*[]byte)
	if err != nil || !ok || response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return response, err
	}
	defer func() { _ = response.Body.Close() }()
	if *body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(strings.NewReader("null"))
	response.ContentLength = -1
	return response, nil
}

// decodeList makes a list with the API's client and decodes each element by
// itself, so that one that is not as the API says does not cost the others: of
// it broken gets the text. Where member is not empty the list is that member of
// the answer.
func decodeList[T any](ctx context.Context, call func(context.Context) error, member string, broken func(json.RawMessage)) ([]T, error) {
	var body []byte
	if err := call(context.WithValue(ctx, captureKey{}, &body)); err != nil {
		return nil, err
	}
	if member != "" {
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, fmt.Errorf("read the list: %w", err)
		}
		body = answer[member]
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return nil, fmt.Errorf("read the list: %w", err)
	}
	list := make([]T, 0, len(elements))
	for _, element := range elements {
		var decoded T
		if err := json.Unmarshal(element, &decoded); err != nil {
			broken(element)
			continue
		}
		list = append(list, decoded)
	}
	return list, nil
}
