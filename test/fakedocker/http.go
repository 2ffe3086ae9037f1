// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	minAPIMinor = 24
	maxBody     = 4 << 20 // bytes
)

// errCut makes the connection break instead of an answer, or in the middle of one.
var errCut = errors.New("the connection is cut")

// apiError is an answer that is not a success.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

func refuse(status int, format string, args ...any) error {
	return &apiError{status: status, message: fmt.Sprintf(format, args...)}
}

func notModified() error { return &apiError{status: http.StatusNotModified} }

type handler func(s *Server, w http.ResponseWriter, r *http.Request, arg string) error

type route struct {
	name           string // such as GET /containers/{id}/json
	method         string
	prefix, suffix string // of the path, around the argument
	handle         handler
}

// routes finds what handles a request. It isn't an [http.ServeMux], which knows
// no argument with slashes before the end of a path, as image names have.
type routes struct {
	exact    map[string]*route // by name
	patterns []*route          // the first that fits
}

func newRoutes() routes {
	t := routes{exact: map[string]*route{}}
	t.add("GET /_ping", (*Server).ping)
	t.add("HEAD /_ping", (*Server).ping)
	t.add("GET /version", (*Server).getVersion)
	t.add("GET /info", (*Server).getInfo)
	t.add("GET /events", (*Server).getEvents)
	t.add("GET /containers/json", (*Server).listContainers)
	t.add("POST /containers/create", (*Server).createContainer)
	t.add("GET /containers/{id}/json", (*Server).inspectContainer)
	t.add("POST /containers/{id}/start", (*Server).startContainer)
	t.add("POST /containers/{id}/stop", (*Server).stopContainer)
	t.add("POST /containers/{id}/restart", (*Server).restartContainer)
	t.add("POST /containers/{id}/kill", (*Server).killContainer)
	t.add("POST /containers/{id}/pause", (*Server).pauseContainer)
	t.add("POST /containers/{id}/unpause", (*Server).unpauseContainer)
	t.add("POST /containers/{id}/wait", (*Server).waitForContainer)
	t.add("POST /containers/{id}/rename", (*Server).renameContainer)
	t.add("POST /containers/{id}/update", (*Server).updateContainer)
	t.add("DELETE /containers/{id}", (*Server).removeContainer)
	t.add("GET /images/json", (*Server).listImages)
	t.add("POST /images/create", (*Server).pullImage)
	t.add("GET /images/{name}/json", (*Server).inspectImage)
	t.add("POST /images/{name}/tag", (*Server).tagImage)
	t.add("DELETE /images/{name}", (*Server).removeImage)
	t.add("GET /volumes", (*Server).listVolumes)
	t.add("POST /volumes/create", (*Server).createVolume)
	t.add("GET /volumes/{name}", (*Server).inspectVolume)
	t.add("DELETE /volumes/{name}", (*Server).removeVolume)
	t.add("GET /networks", (*Server).listNetworks)
	t.add("POST /networks/create", (*Server).createNetwork)
	t.add("GET /networks/{id}", (*Server).inspectNetwork)
	t.add("DELETE /networks/{id}", (*Server).removeNetwork)
	t.add("POST /networks/{id}/connect", (*Server).connectNetwork)
	t.add("POST /networks/{id}/disconnect", (*Server).disconnectNetwork)
	return t
}

func (t *routes) add(name string, handle handler) {
	r := &route{name: name, handle: handle}
	var path string
	r.method, path, _ = strings.Cut(name, " ")
	before, rest, ok := strings.Cut(path, "{")
	if !ok {
		t.exact[name] = r
		return
	}
	_, after, _ := strings.Cut(rest, "}")
	r.prefix, r.suffix = before, after
	t.patterns = append(t.patterns, r)
}

func (t *routes) find(method, path string) (found *route, arg string) {
	if r := t.exact[method+" "+path]; r != nil {
		return r, ""
	}
	for _, r := range t.patterns {
		if r.method != method || len(path) <= len(r.prefix)+len(r.suffix) {
			continue
		}
		rest, ok := strings.CutPrefix(path, r.prefix)
		if !ok {
			continue
		}
		if arg, ok = strings.CutSuffix(rest, r.suffix); ok {
			return r, arg
		}
	}
	return nil, ""
}

func (s *Server) serve(run *engineRun, w http.ResponseWriter, r *http.Request) {
	if !run.enter() {
		return
	}
	defer run.leave()
	header := w.Header()
	header.Set("Api-Version", s.apiVersion)
	header.Set("Docker-Experimental", "false")
	header.Set("Ostype", "linux")
	header.Set("Server", "Docker/"+printable.Text(s.version, 64)+" (linux)")
	err := s.dispatch(w, r)
	if errors.Is(err, errCut) {
		panic(http.ErrAbortHandler) // net/http's way to break a connection
	}
	if err != nil {
		writeError(w, err)
	}
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) error {
	path, err := s.unversioned(r.URL.Path)
	if err != nil {
		return err
	}
	found, arg := s.routes.find(r.Method, path)
	if found == nil {
		s.count("unknown")
		return refuse(http.StatusNotFound, "page not found")
	}
	if err := s.gate(r.Context(), found.name); err != nil {
		return err
	}
	if err := s.hold(r.Context(), found, arg); err != nil {
		return err
	}
	if answer := s.answer(found.name); answer != nil {
		answer(w, r)
		return nil
	}
	return found.handle(s, w, r, arg)
}

// unversioned returns the path without its /vX.Y, which must be one that the
// engine speaks.
func (s *Server) unversioned(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "/v")
	if !ok {
		return path, nil
	}
	version, rest, ok := strings.Cut(rest, "/")
	major, minor, ok2 := strings.Cut(version, ".")
	if !ok || !ok2 || major != "1" {
		return path, nil
	}
	number, err := strconv.Atoi(minor)
	switch {
	case err != nil:
		return path, nil //nolint:nilerr // it is no version, and part of the path
	case number > s.apiMinor:
		return "", refuse(http.StatusBadRequest,
			"client version %s is too new. Maximum supported API version is %s", version, s.apiVersion)
	case number < minAPIMinor:
		return "", refuse(http.StatusBadRequest,
			"client version %s is too old. Minimum supported API version is 1.%d, please upgrade your client to a newer version",
			version, minAPIMinor)
	}
	return "/" + rest, nil
}

func writeError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var refusal *apiError
	if errors.As(err, &refusal) {
		status = refusal.status
	}
	if status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	_ = writeJSON(w, status, map[string]string{"message": err.Error()})
}

// writeJSON answers. What it can't tell the client any more is of no interest.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return nil
}

func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readJSON reads the body of a request, which may be empty.
func readJSON(r *http.Request, value any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return refuse(http.StatusBadRequest, "read the request: %v", err)
	}
	if len(body) == 0 {
		return nil
	}
	kind := r.Header.Get("Content-Type")
	if media, _, _ := mime.ParseMediaType(kind); media != "application/json" {
		return refuse(http.StatusBadRequest, "Content-Type specified (%s) must be 'application/json'", kind)
	}
	if err := json.Unmarshal(body, value); err != nil {
		return refuse(http.StatusBadRequest, "invalid JSON: %v", err)
	}
	return nil
}

// query returns a parameter of a request. (FormValue might read the body.)
func query(r *http.Request, name string) string { return r.URL.Query().Get(name) }

func flag(r *http.Request, name string) bool { return isTrue(query(r, name)) }

// isTrue reads a truth value as the API writes it.
func isTrue(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}
