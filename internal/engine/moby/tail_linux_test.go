// SPDX-License-Identifier: Apache-2.0

package moby_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// longLines is a script that writes lines which engines keep in several pieces.
const longLines = `line() { head -c 40000 /dev/zero | tr '\0' "$1"; echo; }
echo first; sleep 0.2; line a; sleep 0.2; line b >&2; sleep 0.2; echo last; sleep 1000`

// TestTailCountsLines: the last lines of a log are lines, whatever pieces the
// engine keeps them in.
func TestTailCountsLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		program dockerd.Program
		driver  string
		tty     bool
	}{
		{dockerd.Debian, "json-file", false}, {dockerd.Debian, "json-file", true}, {dockerd.Debian, "local", false},
		{dockerd.Podman, "k8s-file", false}, {dockerd.Podman, "k8s-file", true},
	} {
		name := test.program.String() + ", " + test.driver
		if test.tty {
			name += ", a terminal"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dockerd.Start(t, dockerd.Config{Program: test.program})
			created, err := server.Client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
				Config:     &container.Config{Image: dockerd.Image, Tty: test.tty, Cmd: []string{"sh", "-c", longLines}},
				HostConfig: &container.HostConfig{LogConfig: container.LogConfig{Type: test.driver}},
			})
			if err == nil {
				_, err = server.Client.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			e, err := moby.New(moby.Config{Endpoint: server.Endpoint()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Close() }()
			if _, err := e.Info(t.Context()); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(time.Minute)
			lines := []string{"first", strings.Repeat("a", 40000), strings.Repeat("b", 40000), "last"}
			for readLog(t, e, created.ID, engine.AllLines, -1) != strings.Join(lines, "\n")+"\n" {
				if time.Now().After(deadline) {
					t.Fatalf("the log is %s", short(readLog(t, e, created.ID, engine.AllLines, -1)))
				}
				time.Sleep(10 * time.Millisecond)
			}
			for tail := range len(lines) + 3 {
				want := strings.Join(lines[max(0, len(lines)-tail):], "\n")
				if got := readLog(t, e, created.ID, tail, -1); strings.TrimSuffix(got, "\n") != want {
					t.Errorf("the last %d lines are %s, want %s", tail, short(got), short(want))
				}
				if got := readLog(t, e, created.ID, tail, min(tail, len(lines))); strings.TrimSuffix(got, "\n") != want {
					t.Errorf("the last %d lines are %s, want %s", tail, short(got), short(want))
				}
			}
		})
	}
}

// short shows how often each character follows itself.
func short(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		n := 1
		for i+n < len(text) && text[i+n] == text[i] {
			n++
		}
		if n > 2 {
			b.WriteString("<" + text[i:i+1] + " many>")
		} else {
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return b.String()
}

// readLog returns the last lines of a log without a terminal's carriage returns:
// all that are there, or, if lines is not negative, as many as it follows.
func readLog(t *testing.T, e *moby.Engine, id string, tail, lines int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log, err := e.Logs(ctx, engine.Key{Kind: engine.KindContainer, ID: id}, engine.LogOptions{Tail: tail, Follow: lines >= 0})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	reader, text := bufio.NewReader(log), ""
	for ; lines != 0; lines-- {
		line, err := reader.ReadString('\n')
		text += line
		if errors.Is(err, io.EOF) && lines < 0 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(text, "\r", "")
}
