// SPDX-License-Identifier: Apache-2.0

// Package streams serves the logs of containers, and processes in them, over
// WebSockets.
package streams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// Find returns a container's engine and key. name is the name of its Container, or its
// ID. The error is [engine.ErrNotFound] if no engine has the container, and
// [engine.ErrRefused] if several containers have the ID.
type Find func(ctx context.Context, name string) (engine.Engine, engine.Key, error)

// idGrammar matches the IDs of containers and the names of objects; maxID bounds their
// length. A count in the expression would cost half a millisecond at each start of
// rdd.
var idGrammar = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

const maxID = 253

// refusal is an error answer instead of a stream.
type refusal struct {
	code   int
	reason metav1.StatusReason
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }

func badRequest(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Errorf(format, args...)}
}

// find returns the container in the path of a request.
func find(request *http.Request, find Find) (engine.Engine, engine.Key, error) {
	id := strings.TrimPrefix(request.URL.Path, "/")
	if len(id) > maxID || !idGrammar.MatchString(id) {
		return nil, engine.Key{}, fmt.Errorf("container %q: %w", id, engine.ErrNotFound)
	}
	return find(request.Context(), id)
}

// upgradable checks that the request is a WebSocket upgrade.
func upgradable(request *http.Request) error {
	if websocket.IsWebSocketUpgrade(request) {
		return nil
	}
	return &refusal{http.StatusUpgradeRequired, metav1.StatusReasonBadRequest, errors.New("this endpoint requires a WebSocket")}
}

// refuse answers a refused request with a Status, as the API server does.
func refuse(w http.ResponseWriter, err error) {
	r := &refusal{http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, err}
	switch {
	case errors.As(err, &r):
	case errors.Is(err, engine.ErrNotFound):
		r.code, r.reason = http.StatusNotFound, metav1.StatusReasonNotFound
	case errors.Is(err, engine.ErrRefused):
		r.code, r.reason = http.StatusConflict, metav1.StatusReasonConflict
	}
	passthrough.Refuse(w, r.code, r.reason, r.err.Error())
}
