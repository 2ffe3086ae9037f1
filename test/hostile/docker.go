// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// The surfaces of Docker's API.
const (
	Ping             = "GET /_ping"
	Info             = "GET /info"
	Version          = "GET /version"
	Events           = "GET /events"
	ListContainers   = "GET /containers/json"
	ListImages       = "GET /images/json"
	ListVolumes      = "GET /volumes"
	ListNetworks     = "GET /networks"
	InspectContainer = "GET /containers/{}/json"
	InspectImage     = "GET /images/{}/json"
	InspectVolume    = "GET /volumes/{}"
	InspectNetwork   = "GET /networks/{}"
	Logs             = "GET /containers/{}/logs"
	Pull             = "POST /images/create"
	CreateExec       = "POST /containers/{}/exec"
	StartExec        = "POST /exec/{}/start"
	InspectExec      = "GET /exec/{}/json"
	StartContainer   = "POST /containers/{}/start"
	StopContainer    = "POST /containers/{}/stop"
	RestartContainer = "POST /containers/{}/restart"
	PauseContainer   = "POST /containers/{}/pause"
	UnpauseContainer = "POST /containers/{}/unpause"
	RemoveContainer  = "DELETE /containers/{}"
	RemoveImage      = "DELETE /images/{}"
	RemoveVolume     = "DELETE /volumes/{}"
	RemoveNetwork    = "DELETE /networks/{}"
)

var (
	versionRE = regexp.MustCompile(`^/v1\.\d+/`)
	nameRE    = regexp.MustCompile(`^/(containers|images|volumes|networks|exec)/(.+?)(/(?:json|logs|exec|start|stop|restart|pause|unpause))?$`)
)

// surfaceOf returns what a request asks for: of Docker's API the method and the
// path without names, of containerd's the method.
func surfaceOf(r *http.Request) string {
	if r.ProtoMajor == 2 {
		return strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "containerd.services.")
	}
	method, path := r.Method, versionRE.ReplaceAllString(r.URL.Path, "/")
	if path == "/_ping" {
		method = http.MethodGet // clients begin with HEAD
	}
	switch method + " " + path {
	case ListContainers, ListImages, ListVolumes, ListNetworks, Pull:
	default:
		path = nameRE.ReplaceAllString(path, "/$1/{}$3")
	}
	return method + " " + path
}

// Complete adds to a handler what the simulated engine lacks: logs, and processes
// that are executed in a container.
func Complete(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch surfaceOf(r) {
		case Logs:
			w.Header().Set("Content-Type", "application/vnd.docker.raw-stream")
			_, _ = w.Write(frame(1, "hello\n"))
		case CreateExec:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"Id":"e1"}`)
		case StartExec:
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
			_, _ = conn.Write(frame(1, "hello\n"))
		case InspectExec:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ID":"e1","Running":false,"ExitCode":7,"Pid":1}`)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// frame is part of a log or of a process's output.
func frame(stream byte, text string) []byte {
	header := make([]byte, 8)
	header[0] = stream
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	return append(header, text...)
}

// event is one of Docker's.
const event = `{"status":"start","id":"0123456789ab","from":"busybox","Type":"container","Action":"start",` +
	`"Actor":{"ID":"0123456789ab","Attributes":{"image":"busybox","name":"c"}},"scope":"local","time":1700000000,"timeNano":1700000000000000000}` + "\n"

// progress is a message of a pull.
const progress = `{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"aaaaaaaaaaaa"}` + "\n"

// kind is what comes in a good answer.
type kind int

const (
	document kind = iota // JSON
	stream               // of documents
	frames
	status // nothing but the status
)

func kindOf(surface string) kind {
	switch surface {
	case Events, Pull:
		return stream
	case Logs, StartExec:
		return frames
	case CreateExec, ListContainers, ListImages, ListVolumes, ListNetworks, Info, Version, InspectContainer, InspectImage, InspectVolume, InspectNetwork, InspectExec:
		return document
	}
	return status
}

// good returns the body of a good answer. What would do something is not done.
func (x *exchange) good() []byte {
	switch kindOf(x.surface) {
	case stream:
		if x.surface == Pull {
			return []byte(progress)
		}
		return []byte(event)
	case frames:
		return frame(1, "hello\n")
	case document:
		return x.sample().Body.Bytes()
	}
	return nil
}

// contentType is that of a good answer.
func (x *exchange) contentType() string {
	if kindOf(x.surface) == frames {
		return "application/vnd.docker.raw-stream"
	}
	return "application/json"
}

// statusLine is that of a good answer.
func (x *exchange) statusLine() string {
	switch x.surface {
	case StartExec:
		return "101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp"
	case CreateExec:
		return "201 Created"
	}
	return "200 OK"
}

// mutated returns a good body with other values. Of f's nil nothing changes.
func (x *exchange) mutated(f func(key string, value any) any) []byte {
	var all bytes.Buffer
	decoder := json.NewDecoder(bytes.NewReader(x.good()))
	decoder.UseNumber()
	for {
		var value any
		if decoder.Decode(&value) != nil {
			return bytes.ReplaceAll(all.Bytes(), []byte(invalid), []byte("\xff\xfe\xc0\x80"))
		}
		text, err := json.Marshal(mutate("", value, f))
		if err != nil {
			panic(fmt.Sprintf("write what was read: %v", err))
		}
		all.Write(text)
		all.WriteByte('\n')
	}
}

// invalid stands for bytes that are no UTF-8, which encoding/json would not write.
const invalid = "INVALID-UTF-8"

func mutate(key string, value any, f func(string, any) any) any {
	if other := f(key, value); other != nil {
		return other
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = mutate(name, member, f)
		}
	case []any:
		for i, element := range value {
			value[i] = mutate(key, element, f)
		}
	}
	return value
}
