// SPDX-License-Identifier: Apache-2.0

package shellvars

import (
	"os/exec"
	"strings"
	"testing"
)

// TestScriptInShells: shells that are here read back each value as it was.
func TestScriptInShells(t *testing.T) {
	value := `it's "$HOME" \ ` + "`date`; 100% *"
	for shell, args := range map[string][]string{
		Bash: {"sh", "-c"},
		Fish: {"fish", "-c"},
	} {
		program, err := exec.LookPath(args[0])
		if err != nil {
			continue
		}
		script := Script(shell, []Variable{{"A_VALUE", value}, {"GONE", ""}}) + `printf '%s|%s' "$A_VALUE" "$GONE"`
		cmd := exec.Command(program, args[1], script)
		cmd.Env = []string{"GONE=x"}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != value+"|" {
			t.Errorf("%s: %v: %q, want %q", shell, err, out, value+"|")
		}
	}
}

func TestScript(t *testing.T) {
	for shell, want := range map[string]string{
		Bash:       "export A='it'\\''s'\nunset B\n",
		Fish:       "set -gx A 'it\\'s';\nset -e B;\n",
		PowerShell: "$Env:A = 'it''s'\nRemove-Item -ErrorAction SilentlyContinue Env:B\n",
		Cmd:        "SET \"A=it's\"\nSET \"B=\"\n",
	} {
		if got := Script(shell, []Variable{{"A", "it's"}, {"B", ""}}); got != want {
			t.Errorf("%s: %q, want %q", shell, got, want)
		}
		if comment := Usage(shell, "rdd env"); !strings.Contains(comment, "rdd env") || strings.Count(comment, "\n") != 1 {
			t.Errorf("%s: %q", shell, comment)
		}
	}
}

func TestGuess(t *testing.T) {
	for shell, want := range map[string]string{"/usr/bin/fish": Fish, "/bin/bash": Bash, "/bin/zsh": Bash} {
		if got := Guess(func(string) string { return shell }); got != want {
			t.Errorf("%s: %s, want %s", shell, got, want)
		}
	}
}
