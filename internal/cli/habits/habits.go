// SPDX-License-Identifier: Apache-2.0

// Package habits knows what users of docker, kubectl, colima, podman machine,
// limactl and similar programs type, and which command of rdd does it.
package habits

import (
	"slices"
	"strings"
)

// rest stands for the words that the user typed after those that the table has; if
// there are none, it stays in the answer as the place for them.
const rest = "…"

// maxRest limits the bytes of the user's own words in an answer.
const maxRest = 120

// Answer is what to say about words that are no command.
type Answer struct {
	// Commands are those that the user may mean, without the name of the program.
	Commands []string
	// Note, which may be empty, says why there is no such command.
	Note string
}

// For returns the answer to words that rdd was called with, without the global
// flags before them. With flagged only entries that end with a flag count: the words
// before it are a command that exists. exists reports whether a command exists, and is asked about
// the first words of one.
func For(words []string, flagged bool, exists func(path []string) bool) (Answer, bool) {
	for n := min(len(words), longest); n > 0; n-- {
		entry, ok := table[key(words[:n])]
		if !ok {
			entry, ok = table[anyFlag(words[:n])]
		}
		if !ok || flagged && !strings.HasPrefix(words[n-1], "-") {
			continue
		}
		after := words[n:]
		if strings.HasPrefix(words[n-1], "-") {
			after = words[n-1:] // the flag belongs to the other program
		}
		answer := Answer{Note: entry.note}
		for _, alternatives := range entry.commands {
			if command, ok := firstThatExists(alternatives, exists); ok {
				answer.Commands = append(answer.Commands, strings.Replace(command, rest, Quoted(after), 1))
			}
		}
		if len(answer.Commands) > 0 || answer.Note != "" {
			return answer, true
		}
	}
	return Answer{}, false
}

// key returns the table's key for words: a flag is known by its name.
func key(words []string) string {
	names := slices.Clone(words)
	last := len(names) - 1
	names[last], _, _ = strings.Cut(names[last], "=")
	return strings.Join(names, " ")
}

// anyFlag is key for an entry that stands for all flags of a command.
func anyFlag(words []string) string {
	names := slices.Clone(words)
	if last := len(names) - 1; strings.HasPrefix(names[last], "-") {
		names[last] = "-"
	}
	return strings.Join(names, " ")
}

// firstThatExists returns the first of the commands that this version of rdd has.
func firstThatExists(alternatives []string, exists func(path []string) bool) (string, bool) {
	for _, command := range alternatives {
		if exists(strings.Fields(command)) {
			return command, true
		}
	}
	return "", false
}

// Quoted returns words as a POSIX shell reads them, or, for none or too many, the place
// for them.
func Quoted(words []string) string {
	if len(words) == 0 {
		return rest
	}
	parts := make([]string, len(words))
	for i, word := range words {
		if word == "" || strings.ContainsAny(word, " \t\n\"'`$\\|&;<>()*?[]{}~#!") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		parts[i] = word
	}
	text := strings.Join(parts, " ")
	if len(text) > maxRest {
		return rest // a command that is cut would be another one
	}
	return text
}

// String returns the answer as the end of an error, for a program that is called
// with a prefix, as in "rdd --instance work".
func (a Answer) String(prefix string) string {
	text := a.Note
	if len(a.Commands) == 0 {
		return text
	}
	if text != "" {
		text += "; "
	}
	quoted := make([]string, len(a.Commands))
	for i, command := range a.Commands {
		quoted[i] = "`" + prefix + " " + command + "`"
	}
	return text + "did you mean " + strings.Join(quoted, " or ") + "?"
}
