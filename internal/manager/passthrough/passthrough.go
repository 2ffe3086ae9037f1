// SPDX-License-Identifier: Apache-2.0

// Package passthrough forwards requests for /passthrough/<controller>/<endpoint>/… on
// the API server's port to the controller's handler, in this or another process. The
// API server has authenticated and authorized the client. The handler gets the path
// after /passthrough/<controller>/<endpoint>, which is in X-Forwarded-Prefix; the
// client's identity in X-Remote-User and X-Remote-Group, as in Kubernetes' API
// aggregation; and its address in X-Forwarded-For. Connections may be upgraded, to
// WebSockets for example.
package passthrough

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Prefix is the prefix of the paths of all endpoints.
const Prefix = "/passthrough/"

// Endpoints are handlers, by controller and endpoint name.
type Endpoints map[string]map[string]http.Handler

// Names returns the sorted names of the endpoints of each controller.
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

// prefixOf returns the prefix of the paths of an endpoint.
func prefixOf(controller, endpoint string) string { return Prefix + controller + "/" + endpoint }

// Router finds the handler for a request.
type Router struct {
	// Local returns the endpoints in this process.
	Local func() Endpoints
	// Remote returns the endpoints in other processes.
	Remote func(ctx context.Context) ([]Remote, error)
	// Certificate is the client certificate for other processes.
	Certificate tls.Certificate
	Log         *slog.Logger
}

// ServeHTTP implements [http.Handler].
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	controller, endpoint, _ := Split(req.URL.Path)
	local, prefix := r.Local(), prefixOf(controller, endpoint)
	if handler, ok := local[controller][endpoint]; ok {
		handler.ServeHTTP(w, within(identified(req, prefix), prefix))
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
			remote.serve(w, identified(req, prefix), r.Certificate, r.Log)
			return
		}
		maps.Copy(known, remote.Endpoints)
	}
	Refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, notFound(controller, endpoint, known))
}

// notFound returns a message that lists the available endpoints.
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

// Refuse responds with a Status, as the API server does.
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
