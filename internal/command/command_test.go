// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
)

// TestWordsAreSafeToShow: an error may quote an engine's text.
func TestWordsAreSafeToShow(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := &Base{Stderr: &out}
	b.Say("it says %s", "\x1b[2J")
	b.Exit(errors.New("the engine says \x1b]0;title\a\nand more"))
	if want := "it says \\x1b[2J\nError: the engine says \\x1b]0;title\\x07\nand more\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestMessagesInJSON: every message is a JSON line, and the last one of a failure has the
// exit code.
func TestMessagesInJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		say  func(*Base)
		want string
	}{
		"say":     {func(b *Base) { b.Say("two\nlines of \x1b[2J") }, `{"level":"info","msg":"two\nlines of \\x1b[2J"}`},
		"failure": {func(b *Base) { b.Exit(Usage("no %q", "x")) }, `{"exit-code":2,"level":"fatal","msg":"no \"x\""}`},
		"message": {func(b *Base) { b.Exit(&ExitError{Code: 130, Message: "Interrupted."}) }, `{"exit-code":130,"level":"fatal","msg":"Interrupted."}`},
		"prefix":  {func(b *Base) { b.Exit(&ExitError{Code: 127, Message: "Error: gone"}) }, `{"exit-code":127,"level":"fatal","msg":"gone"}`},
		"a writer": {func(b *Base) {
			w := b.Messages()
			_, _ = w.Write([]byte("a line in "))
			_, _ = w.Write([]byte("parts\n"))
		}, `{"level":"info","msg":"a line in parts"}`},
		"a log": {func(b *Base) {
			log, err := b.newLogger(b.Stderr)
			if err != nil {
				t.Error(err)
			}
			log.Log(t.Context(), logging.LevelFatal, "x")
		}, `{"level":"fatal","msg":"x"}`},
	} {
		var out strings.Builder
		test.say(&Base{Stderr: &out, Logging: logging.Options{Format: logging.JSON}})
		var line map[string]any
		if err := json.Unmarshal([]byte(out.String()), &line); err != nil || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: %v: %q", name, err, out.String())
		}
		delete(line, "time")
		got, _ := json.Marshal(line)
		if string(got) != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
