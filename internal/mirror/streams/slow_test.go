// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// scripted is an engine in whose containers run is executed.
type scripted struct {
	engine.Engine
	run func(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error)
}

func (s scripted) Exec(context.Context, engine.Key, engine.ExecOptions) (engine.Process, error) {
	return s, nil
}

func (s scripted) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	return s.run(ctx, stdin, stdout, stderr)
}

func (s scripted) Resize(context.Context, engine.TerminalSize) error { return nil }

// smallBuffers makes the kernel keep little of what a peer does not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
	}
	return conn, err
}

func startTLS(t *testing.T, handler http.Handler, small bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if small {
		server.Listener = smallBuffers{server.Listener}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func authority(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// hops are the ways from a client to the endpoints of an engine: in the process of
// the API server, and in another one behind it.
func hops(t *testing.T, of engine.Engine, small bool) map[string]*Client {
	t.Helper()
	find := func(context.Context, string) (engine.Engine, engine.Key, error) { return of, engine.Key{}, nil }
	endpoints := passthrough.Endpoints{"engine": {"exec": Exec(find), "logs": Logs(find)}}
	none := func() passthrough.Endpoints { return nil }
	far := startTLS(t, &passthrough.Server{Endpoints: func() passthrough.Endpoints { return endpoints }, Token: "t"}, small)
	clients := map[string]*Client{}
	for name, router := range map[string]*passthrough.Router{
		"in the same process": {Local: func() passthrough.Endpoints { return endpoints }},
		"in another process": {Local: none, Remote: func(context.Context) ([]passthrough.Remote, error) {
			return []passthrough.Remote{{Endpoints: endpoints.Names(), URL: far.URL, CA: authority(far), Token: "t"}}, nil
		}},
	} {
		router.Log = slog.New(slog.DiscardHandler)
		near := startTLS(t, router, small)
		clients[name] = &Client{&rest.Config{Host: near.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority(near)}}}
	}
	return clients
}

// The kernel keeps less than little for a reader, and not nearly much.
const little, much = 200_000, 20_000_000

// slowly counts the bytes of a stream, which it begins to take after 3 s, and of
// which it takes the last ones after a pause.
type slowly struct{ n, size int }

func (s *slowly) Write(p []byte) (int, error) {
	before := s.n
	s.n += len(p)
	if before == 0 {
		time.Sleep(3 * time.Second)
	}
	if late := s.size - 100_000; before < late && s.n >= late {
		time.Sleep(1500 * time.Millisecond)
	}
	return len(p), nil
}

// TestSlowReader: all bytes and the exit code arrive, however late the client begins
// to read, and whatever it sent that the process did not want.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	const code = 7
	errs := strings.Repeat("e", 50_000)
	for _, size := range []int{little, much} {
		of := scripted{run: func(_ context.Context, _ io.Reader, stdout, stderr io.Writer) (int, error) {
			if _, err := stdout.Write(make([]byte, size)); err != nil {
				return 0, err
			}
			_, err := io.WriteString(stderr, errs)
			return code, err
		}}
		testSlowReader(t, of, size, code, errs)
	}
}

func testSlowReader(t *testing.T, of engine.Engine, size, code int, errs string) {
	t.Helper()
	for hop, client := range hops(t, of, size > little) {
		for _, tty := range []bool{false, true} {
			for who, run := range map[string]func(context.Context, ExecOptions) error{
				"rdd":                func(ctx context.Context, o ExecOptions) error { return client.exec(ctx, "c", o, nil) },
				"Kubernetes' client": func(ctx context.Context, o ExecOptions) error { return client.kubernetes(ctx, o) },
			} {
				t.Run(fmt.Sprintf("%d bytes, %s, %s, TTY %t", size, hop, who, tty), func(t *testing.T) {
					t.Parallel()
					stdout := &slowly{size: size}
					var stderr bytes.Buffer
					options := ExecOptions{Command: []string{"x"}, TTY: tty, Stdout: stdout, Stderr: &stderr,
						Stdin: io.LimitReader(zeros{}, 1<<20)} // which the process does not read
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					err := run(ctx, options)
					var exit exec.CodeExitError
					if !errors.As(err, &exit) || exit.Code != code {
						t.Errorf("it ended with %v, want the exit code %d", err, code)
					}
					if stdout.n != size {
						t.Errorf("%d bytes arrived of %d", stdout.n, size)
					}
					if !tty && stderr.String() != errs {
						t.Errorf("%d bytes of standard error arrived of %d", stderr.Len(), len(errs))
					}
				})
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// kubernetes runs a command with Kubernetes' own client.
func (c *Client) kubernetes(ctx context.Context, options ExecOptions) error {
	address := c.url("exec", "c", url.Values{"command": options.Command, "tty": {fmt.Sprint(options.TTY)}})
	executor, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, address)
	if err != nil {
		return err
	}
	streams := remotecommand.StreamOptions{Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY}
	return executor.StreamWithContext(ctx, streams)
}

// TestSlowLog: all of a log arrives, and its farewell, however slow the reader.
func TestSlowLog(t *testing.T) {
	t.Parallel()
	for _, size := range []int{little, much} {
		testSlowLog(t, size)
	}
}

func testSlowLog(t *testing.T, size int) {
	t.Helper()
	for hop, client := range hops(t, endless{size: int64(size)}, size > little) {
		t.Run(fmt.Sprintf("%d bytes, %s", size, hop), func(t *testing.T) {
			t.Parallel()
			log := &slowly{size: size}
			if err := client.Logs(t.Context(), "c", LogOptions{Tail: engine.AllLines}, log); err != nil {
				t.Errorf("the log ended with %v", err)
			}
			if log.n != size {
				t.Errorf("%d bytes arrived of %d", log.n, size)
			}
		})
	}
}

// endless is an engine with long logs.
type endless struct {
	engine.Engine
	size int64
}

func (e endless) Logs(context.Context, engine.Key, engine.LogOptions) (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(zeros{}, e.size)), nil
}

// TestUnreadInput: what a client sends to a process that reads nothing is not kept,
// and a client that goes is seen to go, though there is more to read from it.
func TestUnreadInput(t *testing.T) { //nolint:paralleltest // it measures memory
	const clients, size, bound, within = 10, 30 << 20, 32 << 20, 2 * time.Second
	for _, hop := range []string{"in the same process", "in another process"} {
		t.Run(hop, func(t *testing.T) {
			var running atomic.Int32
			of := scripted{run: func(ctx context.Context, _ io.Reader, _, _ io.Writer) (int, error) {
				running.Add(1)
				defer running.Add(-1)
				<-ctx.Done()
				return 0, ctx.Err()
			}}
			client := hops(t, of, true)[hop]
			before, heap := runtime.NumGoroutine(), inUse()
			var conns []net.Conn
			for range clients {
				conns = append(conns, client.flood(t, size))
			}
			eventually(t, time.Minute, "all processes run", func() bool { return running.Load() == clients })
			time.Sleep(time.Second) // for what would be read to be read
			if grown := inUse() - heap; grown > bound {
				t.Errorf("%d bytes more are in use, want at most %d", grown, int64(bound))
			}
			for _, conn := range conns {
				_ = conn.Close()
			}
			began := time.Now()
			eventually(t, time.Minute, "no process is attended any more", func() bool { return running.Load() == 0 })
			if took := time.Since(began); took > within {
				t.Errorf("that the clients went was seen after %s, want at most %s", took, within)
			}
			eventually(t, within, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

// flood opens an exec, and sends one message of the size as its input. What is returned
// is closed as by the end of a client: with all that is on its way.
func (c *Client) flood(t *testing.T, size int) net.Conn {
	t.Helper()
	config, err := rest.TLSConfigFor(c.config)
	if err != nil {
		t.Fatal(err)
	}
	dialer := websocket.Dialer{TLSClientConfig: config, Subprotocols: []string{"v5.channel.k8s.io"}}
	address := "wss" + strings.TrimPrefix(c.url("exec", "c", url.Values{"command": {"sleep"}}), "https")
	conn, _, err := dialer.DialContext(t.Context(), address, nil) //nolint:bodyclose // the library reads it
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the connection
		// A binary message of one masked frame (RFC 6455, 5.2), all of zeros: for channel 0.
		header := binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, uint64(size))
		_, _ = conn.NetConn().Write(append(header, 0, 0, 0, 0))
		_, _ = io.CopyN(conn.NetConn(), zeros{}, int64(size))
	}()
	return conn.NetConn().(*tls.Conn).NetConn()
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func eventually(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("not true within %s: %s\n%s", within, what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestStop: when the daemon stops, a client gets the reason, and a slow one still gets what
// the process wrote.
func TestStop(t *testing.T) {
	t.Parallel()
	of := scripted{run: func(ctx context.Context, _ io.Reader, stdout, _ io.Writer) (int, error) {
		_, _ = stdout.Write(make([]byte, little))
		<-ctx.Done()
		return 0, ctx.Err()
	}}
	stopping, stop := context.WithCancel(t.Context())
	find := func(context.Context, string) (engine.Engine, engine.Key, error) { return of, engine.Key{}, nil }
	handled := make(chan struct{})
	server := startTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(handled)
		http.StripPrefix(passthrough.Prefix+"engine/exec", Exec(find)).ServeHTTP(w, r.WithContext(stopping))
	}), false)
	client := &Client{&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority(server)}}}
	stdout := &slowly{size: little}
	time.AfterFunc(time.Second, stop)
	err := client.exec(t.Context(), "c", ExecOptions{Command: []string{"x"}, Stdout: stdout, Stdin: io.LimitReader(zeros{}, 1<<20)}, nil)
	if err == nil || !strings.Contains(err.Error(), "rdd is stopping") {
		t.Errorf("it ended with %v", err)
	}
	if stdout.n != little {
		t.Errorf("%d bytes arrived of %d", stdout.n, little)
	}
	<-handled
}
