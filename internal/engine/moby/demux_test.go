// SPDX-License-Identifier: Apache-2.0

package moby_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// frame returns a header that announces a size, and a text.
func frame(stream byte, size uint32, text string) []byte {
	header := []byte{stream, 0, 0, 0}
	return append(binary.BigEndian.AppendUint32(header, size), text...)
}

func logsOf(t *testing.T, answer http.HandlerFunc) (io.ReadCloser, error) {
	t.Helper()
	p := newPeer(t, "unix", map[string]http.HandlerFunc{
		inspectPath:                             body(`{"Id":"` + someID + `","Config":{"Tty":false}}`),
		"/v1.41/containers/" + someID + "/logs": answer,
	})
	return p.engine.Logs(t.Context(), engine.Key{Kind: engine.KindContainer, ID: someID}, engine.LogOptions{Tail: engine.AllLines})
}

// TestFrames: what a header announces is copied through as it comes, and never
// waited for.
func TestFrames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		frames     []byte
		want, fail string
	}{
		"both streams":    {frames: append(frame(1, 3, "abc"), frame(2, 2, "de")...), want: "abcde"},
		"empty":           {},
		"an empty frame":  {frames: append(frame(1, 0, ""), frame(1, 1, "a")...), want: "a"},
		"half a header":   {frames: []byte{1, 0, 0}, fail: "header of a frame"},
		"half a frame":    {frames: frame(1, 10, "abc"), want: "abc", fail: "unexpected EOF"},
		"unknown stream":  {frames: frame(9, 1, "a"), fail: "invalid"},
		"no header":       {frames: []byte("plain text"), fail: "invalid"},
		"an error":        {frames: frame(3, 4, "full"), fail: "the engine reports: full"},
		"an endless word": {frames: frame(3, 1<<31, strings.Repeat("x", 100_000)), fail: "the engine reports: xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs, err := logsOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(test.frames) })
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = logs.Close() }()
			got, err := io.ReadAll(logs)
			if string(got) != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if (err == nil) != (test.fail == "") || (err != nil && !strings.Contains(err.Error(), test.fail)) {
				t.Errorf("error %.200v, want one with %q", err, test.fail)
			}
		})
	}
}

// TestHugeFrame: of a frame that is said to have 1 GiB the first bytes are passed
// on at once: nothing of that size is held.
func TestHugeFrame(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	defer close(stop)
	logs, err := logsOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(frame(1, 1<<30, "first words"))
		w.(http.Flusher).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = logs.Close() })()
	got := make([]byte, len("first words"))
	if _, err := io.ReadFull(logs, got); err != nil || !bytes.Equal(got, []byte("first words")) {
		t.Errorf("%q, error %v", got, err)
	}
	_ = logs.Close()
}
