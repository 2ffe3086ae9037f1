// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExtendingPage: every listing of docs/extending.md is the file that it
// names, or a part of it; and every command of the page does what it says.
func TestExtendingPage(t *testing.T) {
	t.Parallel()
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "extending.md"))
	if err != nil {
		t.Fatal(err)
	}
	listings := regexp.MustCompile("(?s)`(examples/[^`\n]+)`[^`\n]*\n\n```[a-z]+\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(listings) < 3 {
		t.Fatalf("the page has %d listings", len(listings))
	}
	for _, listing := range listings {
		file, err := os.ReadFile(filepath.Join(root, listing[1]))
		if err != nil {
			t.Errorf("a listing of a file that is not there: %v", err)
			continue
		}
		for part := range strings.SplitSeq(listing[2], "…\n") {
			if !strings.Contains(string(file), part) {
				t.Errorf("the listing of %s has what is not in it:\n%s", listing[1], part)
			}
		}
	}

	h := newHome(t)
	h.ok("service", "start")
	h.spawn(filepath.Join(builtExamples(t), "notes-controller"))
	h.runs("notes", "note")
	consoles := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(consoles) == 0 {
		t.Fatal("the page has no session")
	}
	for _, session := range consoles {
		h.replay(session[1])
	}
}

// raceNotice is klog's message in programs with the race detector.
var raceNotice = regexp.MustCompile("(?m)^.*withrace.go.*\n")

// replay runs the rdd commands of a session, and compares what they say with
// what the session shows. A backslash continues a command; columns may be wider,
// and … stands for anything.
func (h *home) replay(session string) {
	h.t.Helper()
	for block := range strings.SplitSeq(strings.ReplaceAll("\n"+session, "\\\n", " "), "\n$ ") {
		command, want, _ := strings.Cut(block, "\n")
		if !strings.HasPrefix(command, "rdd ") {
			continue
		}
		var got string
		pattern := strings.Join(strings.Fields(regexp.QuoteMeta(want)), `\s+`)
		matches := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "…", ".*") + "$")
		h.eventually(command, func() (bool, string) {
			shell := h.command(h.t.Context(), "sh", "-c", command)
			shell.Dir = filepath.Join("..", "..")
			shell.Env = append(shell.Env, "PATH="+programs+":"+os.Getenv("PATH"))
			out, _ := shell.CombinedOutput()
			got = strings.TrimSpace(raceNotice.ReplaceAllString(string(out), ""))
			return matches.MatchString(got) || strings.Contains(command, " create "), got
		})
		if !matches.MatchString(got) {
			h.t.Errorf("$ %s\n%s\nwant\n%s", command, got, want)
		}
	}
}
