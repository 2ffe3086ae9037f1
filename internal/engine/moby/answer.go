// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// answer describes the expected answer to a request. Every answer is bounded, for
// every call of the API's client.
type answer struct {
	what string // for errors, as in "the engine's list of containers"
	size int64  // the limit of the body, in bytes
	// endless is for bodies that the caller bounds by itself: logs are copied
	// through, and the messages of a pull have a limit each.
	endless bool
	// consume reads the body of the answer, which must be JSON with the status 200,
	// instead of the API's client, which then reads null.
	consume func(io.Reader) error
}

// small is the default answer.
func small() answer { return answer{what: "an answer of the engine", size: limits.Small} }

type answerKey struct{}

// expect returns the context for a call with that answer.
func expect(ctx context.Context, a answer) context.Context {
	return context.WithValue(ctx, answerKey{}, a)
}

// expectEndless returns the context for a call whose answer the caller bounds.
func expectEndless(ctx context.Context, what string) context.Context {
	return expect(ctx, answer{what: what, endless: true})
}

// answerOf returns the expected answer to a request. The API's client also pings with
// the context of the first call.
func answerOf(request *http.Request) answer {
	a, ok := request.Context().Value(answerKey{}).(answer)
	if !ok || strings.HasSuffix(request.URL.Path, "/_ping") {
		return small()
	}
	return a
}

// limitTransport bounds answers.
type limitTransport struct {
	next http.RoundTripper
	// large is a semaphore for decoding large objects: decoded they take many times
	// their size, and several workers decode at a time.
	large chan struct{}
}

func newLimitTransport(next http.RoundTripper) limitTransport {
	return limitTransport{next: next, large: make(chan struct{}, 1)}
}

// RoundTrip implements [http.RoundTripper].
func (t limitTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	a := answerOf(request)
	switch status := response.StatusCode; {
	case request.Method == http.MethodHead, status == http.StatusSwitchingProtocols:
		return response, nil
	case status >= http.StatusBadRequest:
		return failure(response), nil
	case status >= http.StatusMultipleChoices && status != http.StatusNotModified:
		_ = response.Body.Close()
		return nil, carriedError{fmt.Errorf("the engine answers with a redirect (%s): it is not a Docker engine", statusOf(response))}
	case a.consume != nil:
		return t.consumed(request, response, a)
	case !a.endless:
		response.Body = t.bounded(request.Context(), response.Body, a)
	}
	return response, nil
}

// consumed has the answer's body consumed.
func (t limitTransport) consumed(request *http.Request, response *http.Response, a answer) (*http.Response, error) {
	body := response.Body
	if !a.endless {
		body = t.bounded(request.Context(), body, a)
	}
	defer func() { _ = body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, carriedError{fmt.Errorf("%s: the engine answers with %s instead of 200 OK", a.what, statusOf(response))}
	}
	if kind := mediaType(response); !isJSON(kind) {
		return nil, carriedError{fmt.Errorf("%s is %s instead of JSON: check that it is a Docker engine", a.what, kind)}
	}
	if err := a.consume(body); err != nil {
		if ctx := request.Context().Err(); ctx != nil && errors.Is(err, ctx) {
			err = late(a.what, err)
		}
		return nil, carriedError{err}
	}
	response.Body, response.ContentLength = io.NopCloser(strings.NewReader("null")), -1
	return response, nil
}

// late says of which answer the time is over.
func late(what string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s does not end in time: %w", what, err)
	}
	return err
}

// mediaType returns the type of an answer's content, for errors too.
func mediaType(response *http.Response) string {
	header := response.Header.Get("Content-Type")
	if header == "" {
		return "without a type"
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return "of an invalid type"
	}
	return kind
}

// isJSON reports whether a type of content is JSON, or a stream of it, as events
// are.
func isJSON(kind string) bool {
	switch kind {
	case "application/json", "application/x-ndjson", "application/jsonl", "application/json-seq":
		return true
	}
	return false
}

// statusOf names the status of an answer in words of our own: an engine may send
// others.
func statusOf(response *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode)))
}

// failure reduces an answer that is an error to the message in it. What answers at
// an endpoint may be no Docker engine, and then its text must not reach other readers.
func failure(response *http.Response) *http.Response {
	body, _ := io.ReadAll(io.LimitReader(response.Body, limits.Failure))
	_ = response.Body.Close()
	var words struct {
		Message string `json:"message"`
	}
	switch {
	case !isJSON(mediaType(response)):
	case len(body) == limits.Failure:
		words.Message = beginning(body)
	default:
		_ = json.Unmarshal(body, &words) // what is no such object has no message
	}
	if words.Message == "" {
		words.Message = statusOf(response) + " with no message that can be read: is it a Docker engine?"
	}
	text, _ := json.Marshal(words) // a string always can be
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	response.Header.Set("Content-Type", "application/json")
	return response
}

// messageStart is how an answer with an error begins
// (https://docs.docker.com/reference/api/engine/, "Errors").
var messageStart = regexp.MustCompile(`^\s*\{\s*"message"\s*:\s*"`)

// beginning returns the beginning of the message in an error whose end was not
// read; empty if there is no message at its start.
func beginning(body []byte) string {
	start := messageStart.FindIndex(body)
	if start == nil {
		return ""
	}
	quoted := slices.Concat([]byte{'"'}, body[start[1]:])
	// The cut may be within a character or an escape, of which a surrogate pair is
	// the longest: 12 bytes.
	for cut := 0; cut < 12 && cut < len(quoted); cut++ {
		var message string
		if json.Unmarshal(slices.Concat(quoted[:len(quoted)-cut], []byte{'"'}), &message) == nil {
			return message + "…"
		}
	}
	return ""
}

// bounded bounds the body of an answer.
func (t limitTransport) bounded(ctx context.Context, body io.ReadCloser, a answer) io.ReadCloser {
	return &boundedBody{Document: limits.NewDocument(body, a.what, a.size), ctx: ctx, body: body, what: a.what, large: t.large, list: a.size > limits.Object}
}

// boundedBody is read by one goroutine.
type boundedBody struct {
	*limits.Document
	ctx   context.Context
	body  io.ReadCloser
	what  string
	large chan struct{}
	list  bool // of which one entry after the other is decoded
	read  int64
	taken bool
}

// Read implements [io.Reader].
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.read > limits.Small && !b.taken && !b.list {
		select {
		case b.large <- struct{}{}:
			b.taken = true
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	read := b.Document.Read
	if b.list { // its entries count by themselves
		read = b.Document.Reader.Read
	}
	n, err := read(p)
	b.read += int64(n)
	return n, late(b.what, err)
}

// Close implements [io.Closer].
func (b *boundedBody) Close() error {
	if b.taken {
		b.taken = false
		<-b.large
	}
	return b.body.Close()
}
