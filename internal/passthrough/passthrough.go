// SPDX-License-Identifier: Apache-2.0

// Package passthrough leads requests for /passthrough/<controller>/<endpoint>/…
// on the API server's port to the controller's own handler, in this process or
// in another one. The API server has authenticated and authorised the client;
// the handler sees the same path, and who the client is in the headers
// X-Remote-User and X-Remote-Group, as in Kubernetes' API aggregation.
// Connections may be upgraded, to WebSockets for example.
package passthrough

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// Prefix begins the paths of all endpoints.
const Prefix = "/passthrough/"

// Headers that tell handlers who the client is.
const (
	UserHeader  = "X-Remote-User"
	GroupHeader = "X-Remote-Group"
)

// Endpoints are handlers, by controller and by their names.
type Endpoints map[string]map[string]http.Handler

// Names returns the names of the endpoints of each controller, sorted.
func (e Endpoints) Names() map[string][]string {
	names := map[string][]string{}
	for controller, endpoints := range e {
		names[controller] = slices.Sorted(maps.Keys(endpoints))
	}
	return names
}

// Split returns the parts of a path: /passthrough/<controller>/<endpoint>/<rest>.
func Split(path string) (controller, endpoint, rest string) {
	path = strings.TrimPrefix(path, Prefix)
	controller, path, _ = strings.Cut(path, "/")
	endpoint, rest, _ = strings.Cut(path, "/")
	return controller, endpoint, rest
}

// Router finds the handler for a request.
type Router struct {
	// Local returns the endpoints in this process.
	Local func() Endpoints
	// Remote returns those of other processes.
	Remote func(ctx context.Context) ([]Remote, error)
	Log    *slog.Logger
}

// ServeHTTP implements [http.Handler].
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	controller, endpoint, _ := Split(req.URL.Path)
	local := r.Local()
	if handler, ok := local[controller][endpoint]; ok {
		handler.ServeHTTP(w, identified(req))
		return
	}
	remotes, err := r.Remote(req.Context())
	if err != nil {
		r.Log.Warn("finding the endpoints of other processes failed", "error", err)
		Refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the discovery of controllers can't be read")
		return
	}
	known := local.Names()
	for _, remote := range remotes {
		if slices.Contains(remote.Endpoints[controller], endpoint) {
			remote.serve(w, identified(req), r.Log)
			return
		}
		maps.Copy(known, remote.Endpoints)
	}
	Refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, notFound(controller, endpoint, known))
}

// notFound says what there is instead.
func notFound(controller, endpoint string, known map[string][]string) string {
	var there []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		for _, endpoint := range known[name] {
			there = append(there, name+"/"+endpoint)
		}
	}
	list := strings.Join(there, ", ")
	if list == "" {
		list = "none"
	}
	return fmt.Sprintf("no controller %q offers an endpoint %q; there are: %s", controller, endpoint, list)
}

// identified returns the request without the client's credentials, and with its
// name.
func identified(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	for _, header := range []string{"Authorization", UserHeader, GroupHeader} {
		out.Header.Del(header)
	}
	out.Header["Sec-Websocket-Protocol"] = withoutToken(out.Header.Values("Sec-Websocket-Protocol"))
	if len(out.Header["Sec-Websocket-Protocol"]) == 0 {
		out.Header.Del("Sec-Websocket-Protocol")
	}
	if user, ok := request.UserFrom(req.Context()); ok {
		out.Header.Set(UserHeader, user.GetName())
		out.Header[GroupHeader] = slices.Clone(user.GetGroups())
	}
	return out
}

// tokenProtocol begins the subprotocol by which browsers send a bearer token
// with a WebSocket, as they can't set headers.
const tokenProtocol = "base64url.bearer.authorization.k8s.io." //nolint:gosec // a name, no token

func withoutToken(values []string) []string {
	var kept []string
	for _, value := range values {
		for protocol := range strings.SplitSeq(value, ",") {
			if protocol = strings.TrimSpace(protocol); !strings.HasPrefix(protocol, tokenProtocol) {
				kept = append(kept, protocol)
			}
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, ", ")}
}

// Refuse answers as the API server does.
func Refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure,
		Code:     int32(code), //nolint:gosec // of HTTP
		Reason:   reason,
		Message:  message,
	})
}
