// SPDX-License-Identifier: Apache-2.0

// Package shellvars writes environment variables in the languages of shells.
package shellvars

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// The shells.
const (
	Bash       = "bash" // and every other POSIX shell
	Fish       = "fish"
	PowerShell = "powershell"
	Cmd        = "cmd"
)

// Shells are the names of all shells.
func Shells() []string { return []string{Bash, Fish, PowerShell, Cmd} }

// Known reports whether a shell is known.
func Known(shell string) bool { return slices.Contains(Shells(), shell) }

// Guess returns the shell that a user most likely runs.
func Guess(getenv func(string) string) string {
	if shell := strings.TrimSuffix(filepath.Base(getenv("SHELL")), ".exe"); shell == Fish {
		return Fish
	} else if runtime.GOOS == "windows" && (shell == "" || shell == ".") {
		return PowerShell
	}
	return Bash
}

// Variable is one that is set or, without a value, taken away.
type Variable struct{ Name, Value string }

// Script returns the lines that set the variables in a shell.
func Script(shell string, variables []Variable) string {
	var text strings.Builder
	for _, v := range variables {
		set, unset := format(shell)
		if v.Value == "" {
			fmt.Fprintf(&text, unset+"\n", v.Name)
		} else {
			fmt.Fprintf(&text, set+"\n", v.Name, quote(shell, v.Value))
		}
	}
	return text.String()
}

// Usage returns the comment that says how a shell evaluates the output of a command.
func Usage(shell, command string) string {
	switch shell {
	case Fish:
		return "# Run this: " + command + " --shell fish | source\n"
	case PowerShell:
		return "# Run this: & " + command + " --shell powershell | Out-String | Invoke-Expression\n"
	case Cmd:
		return "REM Run this: @FOR /f \"tokens=*\" %i IN ('" + command + " --shell cmd') DO @%i\n"
	}
	return "# Run this: eval \"$(" + command + ")\"\n"
}

func format(shell string) (set, unset string) {
	switch shell {
	case Fish:
		return "set -gx %s %s;", "set -e %s;"
	case PowerShell:
		return "$Env:%s = %s", "Remove-Item -ErrorAction SilentlyContinue Env:%s"
	case Cmd:
		return `SET "%s=%s"`, `SET "%s="`
	}
	return "export %s=%s", "unset %s"
}

// quote quotes a value so that no character of it has a meaning to the shell.
func quote(shell, value string) string {
	switch shell {
	case Fish:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(value) + "'"
	case PowerShell:
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case Cmd:
		return strings.ReplaceAll(value, "%", "%%") // in a batch file; the line is in quotes already
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
