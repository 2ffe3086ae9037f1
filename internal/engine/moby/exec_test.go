// SPDX-License-Identifier: Apache-2.0

package moby_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestExecEnds: of a process that ends without having read its input all output and the
// exit code arrive, also where the engine says a moment later that it has ended.
func TestExecEnds(t *testing.T) {
	t.Parallel()
	const size, code = 100_000, 7
	for name, test := range map[string]struct {
		runs  int32 // how often it is said to run still
		part  int   // what is sent of the frame
		fails bool
	}{
		"at once":            {part: size},
		"seen a bit later":   {runs: 3, part: size},
		"lost":               {runs: 1 << 20, part: size, fails: true},
		"cut within a frame": {part: size / 2, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			p := newPeer(t, "unix", map[string]http.HandlerFunc{
				"/v1.41/containers/" + someID + "/exec": func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"Id":"e"}`)
				},
				"/v1.41/exec/e/json": func(w http.ResponseWriter, _ *http.Request) {
					running := asked.Add(1) <= test.runs
					_, _ = fmt.Fprintf(w, `{"ID":"e","Running":%t,"ExitCode":%d}`, running, map[bool]int{false: code}[running])
				},
				"/v1.41/exec/e/start": func(w http.ResponseWriter, _ *http.Request) {
					conn, buffered, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = buffered.WriteString("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
					_, _ = buffered.Write(binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0}, size))
					_, _ = buffered.Write(make([]byte, test.part))
					_ = buffered.Flush()
					time.Sleep(200 * time.Millisecond) // for the input to come
					_ = conn.Close()
				},
			})
			process, err := p.engine.Exec(t.Context(), engine.Key{ID: someID}, engine.ExecOptions{Command: []string{"true"}, Stdin: true})
			if err != nil {
				t.Fatal(err)
			}
			var stdout bytes.Buffer
			input := io.LimitReader(zeros{}, 4096)
			got, err := process.Run(t.Context(), input, &stdout, io.Discard)
			if test.fails != (err != nil) || !test.fails && got != code {
				t.Errorf("exit code %d, %v; want %d, an error: %t", got, err, code, test.fails)
			}
			if stdout.Len() != test.part {
				t.Errorf("%d bytes arrived of %d", stdout.Len(), test.part)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Unwrap is for [http.ResponseController].
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
