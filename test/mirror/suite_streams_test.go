// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/moby/moby/api/types/container"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// testLabel is the label of goroutines with the name of the test.
const testLabel = "rdd-test"

// endpoints serves the endpoints of the manager, as the API server does.
func (e *env) endpoints() *httptest.Server {
	e.t.Helper()
	var server *httptest.Server
	// The goroutines of its calls have the label, for [env.goroutines].
	pprof.Do(context.Background(), pprof.Labels(testLabel, e.t.Name()), func(context.Context) {
		server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			controller, endpoint, _ := passthrough.Split(request.URL.Path)
			http.StripPrefix(passthrough.Prefix+controller+"/"+endpoint, e.ran.manager.Endpoints()[controller][endpoint]).ServeHTTP(w, request)
		}))
	})
	e.t.Cleanup(server.Close)
	return server
}

// dialLogs opens a log. The code is that of a refusal.
func dialLogs(t *testing.T, server *httptest.Server, id, query string) (conn *websocket.Conn, code int) {
	t.Helper()
	address := "ws" + strings.TrimPrefix(server.URL, "http") + "/passthrough/engine/logs/" + id + "?" + query
	conn, response, err := websocket.DefaultDialer.DialContext(t.Context(), address, nil) //nolint:bodyclose // the library reads it
	if response == nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil, response.StatusCode
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, response.StatusCode
}

// readLog reads a log to its end, which must be a farewell.
func readLog(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	var log strings.Builder
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Errorf("the log ended with %v", err)
			}
			return log.String()
		}
		if kind != websocket.BinaryMessage {
			t.Errorf("a message of type %d", kind)
		}
		log.Write(message)
	}
}

// suiteLogs reads what containers write: to its end, from the middle, while they
// write it, with a terminal and without.
func suiteLogs(d *driver) {
	server := d.endpoints()
	// containerd 1.6 may lose what is written in the last moment: the end of one
	// output closes the file of both.
	bytesOf := "\\0\\001x\\303\\251" // Docker keeps text: other bytes would be changed
	id := d.run("logs", container.Config{Cmd: []string{"sh", "-c",
		"echo one; sleep 0.1; echo two >&2; sleep 0.1; echo -ne '" + bytesOf + "\\n'; while [ ! -e /go ]; do sleep 0.05; done; echo last >&2; sleep 0.3"}}, container.HostConfig{})
	written := "one\ntwo\n\x00\x01x\u00e9\n"

	d.t.Log("followed: what is there, then what comes, then the end with the container's")
	follow, _ := dialLogs(d.t, server, id, "follow=true")
	var seen strings.Builder
	for seen.Len() < len(written) {
		_, message, err := follow.ReadMessage()
		d.must(err)
		seen.Write(message)
	}
	if seen.String() != written {
		d.t.Errorf("followed %q, want %q", seen.String(), written)
	}
	d.t.Log("not followed: an end")
	now, _ := dialLogs(d.t, server, id, "")
	if got := readLog(d.t, now); got != written {
		d.t.Errorf("read %q, want %q", got, written)
	}
	d.t.Log("a client that goes away ends the engine's call")
	reading := func(want int) {
		d.t.Helper()
		d.eventually(fmt.Sprintf("%d logs are read", want), func() (bool, string) {
			is := d.goroutines(d.engine.reads)
			return is == want, strconv.Itoa(is)
		})
	}
	reading(1) // the one that is followed
	gone, _ := dialLogs(d.t, server, id, "follow=true&tail=0")
	reading(2)
	_ = gone.Close()
	reading(1)

	code, _, stderr := d.exec(server, id, false, "touch", "/go")
	if code != 0 {
		d.t.Fatalf("touch: %d %s", code, stderr)
	}
	if got := readLog(d.t, follow); got != "last\n" {
		d.t.Errorf("at the end %q", got)
	}
	tail, _ := dialLogs(d.t, server, id, "tail=1")
	if got := readLog(d.t, tail); got != "last\n" {
		d.t.Errorf("the last line is %q", got)
	}

	if d.has.api { // containerd leads a terminal's output to no file
		d.t.Log("a terminal's output as it is")
		tty := d.run("logs-tty", container.Config{Tty: true, Cmd: []string{"sh", "-c", "echo out; sleep 0.1; echo err >&2"}}, container.HostConfig{})
		lines, _ := dialLogs(d.t, server, tty, "follow=true")
		if got := readLog(d.t, lines); got != "out\r\nerr\r\n" {
			d.t.Errorf("a terminal's log is %q", got)
		}
		d.discard(tty)
	}

	d.t.Log("refused before the upgrade")
	for path, want := range map[string]int{
		strings.Repeat("0", 64): http.StatusNotFound,
		"..%2f..%2finfo":        http.StatusNotFound,
		"":                      http.StatusNotFound,
		id + "?tail=some":       http.StatusBadRequest,
		id + "?tail=-1":         http.StatusBadRequest,
		id + "?follow=perhaps":  http.StatusBadRequest,
	} {
		of, query, _ := strings.Cut(path, "?")
		if _, code := dialLogs(d.t, server, of, query); code != want {
			d.t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	d.discard(id)
}

// goroutines counts those of the test's calls that are in a function. Other tests
// have some, too.
func (e *env) goroutines(function string) int {
	e.t.Helper()
	var profile strings.Builder
	e.must(pprof.Lookup("goroutine").WriteTo(&profile, 1))
	_, records, _ := strings.Cut(profile.String(), "\n") // its heading
	label := fmt.Sprintf("%q:%q", testLabel, e.t.Name())
	sum := 0
	for record := range strings.SplitSeq(records, "\n\n") {
		if strings.Contains(record, label) && strings.Contains(record, function+"+") {
			count, _, _ := strings.Cut(record, " @ ")
			n, err := strconv.Atoi(count)
			e.must(err)
			sum += n
		}
	}
	return sum
}

// discard removes containers.
func (d *driver) discard(ids ...string) {
	d.t.Helper()
	for _, id := range ids {
		d.step(func(ctx context.Context) error { return d.hands.Remove(ctx, id) })
	}
}

// executor returns Kubernetes' own client of the endpoint.
func (d *driver) executor(server *httptest.Server, id string, options url.Values, command ...string) remotecommand.Executor {
	d.t.Helper()
	options["command"] = command
	executor, err := remotecommand.NewWebSocketExecutor(&rest.Config{Host: server.URL}, http.MethodGet,
		server.URL+"/passthrough/engine/exec/"+id+"?"+options.Encode())
	d.must(err)
	return executor
}

// suiteStreamsWithoutEngine: a container whose engine does not answer is not one
// that there is not.
func suiteStreamsWithoutEngine(d *driver) {
	server := d.endpoints()
	id := d.createContainer("unreachable", container.Config{}, container.HostConfig{})
	d.engine.Restart(func() {
		d.waitReason(d.getEngine("moby"), containersv1alpha1.ReasonDisconnected)
		if _, code := dialLogs(d.t, server, id, ""); code != http.StatusServiceUnavailable {
			d.t.Errorf("the log of a container of a dead engine: %d", code)
		}
	})
	d.equal("moby")
	d.discard(id)
}

// exec runs a command to its end.
func (d *driver) exec(server *httptest.Server, id string, tty bool, command ...string) (code int, stdout, stderr string) {
	d.t.Helper()
	var out, err bytes.Buffer
	options := url.Values{"stdin": {"false"}}
	streams := remotecommand.StreamOptions{Stdout: &out, Stderr: &err, Tty: tty}
	if tty {
		options.Set("tty", "true")
		streams.Stderr = nil
	}
	return exitCode(d.t, d.executor(server, id, options, command...).StreamWithContext(d.t.Context(), streams)), out.String(), err.String()
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	t.Fatal(err)
	return 0
}

// sizes is a terminal that has one size, and then another.
type sizes chan remotecommand.TerminalSize

func (s sizes) Next() *remotecommand.TerminalSize {
	size, ok := <-s
	if !ok {
		return nil
	}
	return &size
}

// suiteExec runs commands in a container.
func suiteExec(d *driver) {
	server := d.endpoints()
	id := d.run("exec", container.Config{}, container.HostConfig{})

	d.t.Log("both outputs, and the exit code")
	code, stdout, stderr := d.exec(server, id, false, "sh", "-c", "echo to out; echo to err >&2; exit 7")
	if code != 7 || stdout != "to out\n" || stderr != "to err\n" {
		d.t.Errorf("%d %q %q", code, stdout, stderr)
	}
	d.t.Log("input to its end, all of it")
	var echoed bytes.Buffer
	sent := strings.Repeat("\x00\xff a line \n", 100_000)
	err := d.executor(server, id, url.Values{}, "cat").StreamWithContext(d.t.Context(),
		remotecommand.StreamOptions{Stdin: strings.NewReader(sent), Stdout: &echoed})
	if code := exitCode(d.t, err); code != 0 || echoed.String() != sent {
		d.t.Errorf("cat: %d, and %d bytes of %d came back", code, echoed.Len(), len(sent))
	}
	d.t.Log("a terminal, of the client's size")
	size := make(sizes, 1)
	size <- remotecommand.TerminalSize{Width: 91, Height: 37}
	var screen bytes.Buffer
	err = d.executor(server, id, url.Values{"tty": {"true"}}, "sh", "-c",
		`i=0; until stty size 2>/dev/null | grep -q '37 91' || [ $i -gt 200 ]; do i=$((i+1)); sleep 0.05; done; stty size`).StreamWithContext(d.t.Context(),
		remotecommand.StreamOptions{Stdin: strings.NewReader(""), Stdout: &screen, Tty: true, TerminalSizeQueue: size})
	close(size)
	if code := exitCode(d.t, err); code != 0 || screen.String() != "37 91\r\n" {
		d.t.Errorf("stty: %d %q", code, screen.String())
	}

	d.t.Log("a client that goes away closes the process's input")
	ctx, cancel := context.WithCancel(d.t.Context())
	gone := make(chan struct{})
	input, write := io.Pipe()
	go func() {
		defer close(gone)
		_ = d.executor(server, id, url.Values{}, "sh", "-c", "echo here > /begun; cat; touch /over").StreamWithContext(ctx,
			remotecommand.StreamOptions{Stdin: input, Stdout: io.Discard})
	}()
	d.hasFile(server, id, "/begun")
	cancel()
	_ = write.Close()
	<-gone
	d.hasFile(server, id, "/over")

	d.t.Log("refused before the upgrade")
	stopped := d.createContainer("exec-stopped", container.Config{}, container.HostConfig{})
	for path, want := range map[string]int{
		strings.Repeat("0", 64) + "?command=true": http.StatusNotFound,
		stopped + "?command=true":                 http.StatusConflict,
		id:                                        http.StatusBadRequest,
		id + "?command=true&tty=perhaps":          http.StatusBadRequest,
	} {
		dialer := websocket.Dialer{Subprotocols: []string{"v5.channel.k8s.io"}}
		_, response, err := dialer.DialContext(d.t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+"/passthrough/engine/exec/"+path, nil) //nolint:bodyclose // the library reads it
		if response == nil {
			d.t.Fatal(err)
		}
		if response.StatusCode != want {
			d.t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
	d.discard(id, stopped)
}

// hasFile waits for a file in a container.
func (d *driver) hasFile(server *httptest.Server, id, path string) {
	d.t.Helper()
	d.eventually("the container has "+path, func() (bool, string) {
		code, _, stderr := d.exec(server, id, false, "test", "-e", path)
		return code == 0, stderr
	})
}
