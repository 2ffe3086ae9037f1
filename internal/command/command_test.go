// SPDX-License-Identifier: Apache-2.0

package command

import (
	"errors"
	"strings"
	"testing"
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
