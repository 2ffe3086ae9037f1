// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
)

// maxColumns is how wide a help text may be.
const maxColumns = 96

// maxShort is how many characters a Short may have.
const maxShort = 60

// each calls visit with every command that users see.
func each(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			each(child, visit)
		}
	}
}

// TestHelp: every command has an imperative Short of at most maxShort characters, and
// an Example that the command line accepts.
func TestHelp(t *testing.T) {
	each(Commands(Config{}), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Name() == "help" {
			return
		}
		if help := helpOf(t, cmd); len(help) == 0 {
			t.Errorf("%s has no help", path)
		} else {
			for line := range strings.Lines(help) {
				if len([]rune(strings.TrimRight(line, "\n"))) > columns && !strings.Contains(cmd.Example, strings.TrimSpace(line)) {
					t.Errorf("%s: a line of the help is too long: %s", path, line)
				}
			}
		}
		if first := []rune(cmd.Short + " ")[0]; !unicode.IsUpper(first) || strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > maxShort {
			t.Errorf("%s: the Short %q must begin with an upper-case letter, have no full stop, and at most %d characters", path, cmd.Short, maxShort)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if len([]rune(strings.TrimSpace(line))) > maxColumns {
				t.Errorf("%s: a line is too long: %s", path, line)
			}
		}
		named := false
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "rdd ") {
				named = checkExample(t, line).CommandPath() == path || named
			}
		}
		if !named && !cmd.HasSubCommands() && path != "rdd upgrade" {
			t.Errorf("%s has no example of itself", path)
		}
	})
}

// helpOf returns what `--help` prints.
func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var text strings.Builder
	cmd.SetOut(&text)
	if err := cmd.Help(); err != nil {
		t.Error(err)
	}
	return text.String()
}

// TestGroups: each command is in a group of the help, which has no other title.
func TestGroups(t *testing.T) {
	root := Commands(Config{})
	help := helpOf(t, root)
	last := -1
	for _, g := range groups() {
		at := strings.Index(help, "\n"+g.title+"\n")
		if at <= last {
			t.Errorf("%q is not where it belongs:\n%s", g.title, help)
		}
		last = at
	}
	if strings.Contains(help, "Additional Commands") {
		t.Errorf("a command is in no group:\n%s", help)
	}
	others := 0
	for _, cmd := range root.Commands() {
		if cmd.GroupID == "other" {
			others++
		}
	}
	if others > 5 {
		t.Errorf("%d commands are among the others", others)
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 40)
	for text, want := range map[string]string{
		"one\ntwo\n\nthree\n  code stays\n  as it is\nand on\n": "one two\n\nthree\n  code stays\n  as it is\nand on",
		long: strings.TrimSpace(strings.Repeat(strings.TrimSpace(strings.Repeat("word ", 16))+"\n", 2) + strings.Repeat("word ", 8)),
	} {
		if got := wrap(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// checkExample checks that a command line is one, and returns its command.
func checkExample(t *testing.T, line string) *cobra.Command {
	t.Helper()
	line, _, _ = strings.Cut(line, " > ")
	line, _, _ = strings.Cut(line, " | ")
	cmd, rest, err := Commands(Config{}).Find(strings.Fields(line)[1:])
	if err == nil && !cmd.DisableFlagParsing {
		err = cmd.ParseFlags(rest)
	}
	if err == nil && cmd.Args != nil && !cmd.DisableFlagParsing {
		err = cmd.Args(cmd, cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("the example %q: %v", line, err)
	}
	return cmd
}

func TestWorksOffline(t *testing.T) {
	for line, want := range map[string]bool{
		"":                         true,
		"--help":                   true,
		"get -h":                   true,
		"help get":                 true,
		"--instance x":             true,
		"--instance help get":      false,
		"get containers":           false,
		"completion bash":          true,
		"kustomize here":           true,
		"version --client -o yaml": true,
		"version":                  false,
		"version --client=false":   false,
		"get x --client":           false,
		"exec x -- sh --help":      false,
		"--instance=x get app -w":  false,
	} {
		if got := worksOffline(strings.Fields(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestSplitAt(t *testing.T) {
	for line, want := range map[string]string{
		"ctl get app":                 "|get app",
		"--instance x ctl get":        "--instance x|get",
		"--instance=x ctl":            "--instance=x|",
		"--instance ctl ps":           "no",
		"ps ctl":                      "no",
		"":                            "no",
		"--log-level debug ctl a ctl": "--log-level debug|a ctl",
		"__complete ctl get":          "no",
		"--log-format json ctl -h x":  "--log-format json|-h x",
	} {
		global, rest, ok := splitAt("ctl", strings.Fields(line))
		got := strings.Join(global, " ") + "|" + strings.Join(rest, " ")
		if !ok {
			got = "no"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
