// SPDX-License-Identifier: Apache-2.0

// Package printable makes text from outside (an engine's names, labels and errors) safe to show: on a terminal, in a condition, in an Event.
//
// What it returns is valid UTF-8 without control characters, without characters that reorder or hide text (bidirectional overrides and isolates,
// zero-width and other invisible ones), and no longer than the caller allows.
//
// White space of every kind, newlines and tabs too, is one space for each character: an engine's error of several lines stays readable prose. Every other
// character that is not printable is a visible escape (`\x1b`, `\u202e`), because two names that differ must not look the same. A backslash is left
// as it is, so that Windows paths stay readable; the result is not meant to be decoded.
package printable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Condition is the maximum number of bytes of a condition's or an Event's text.
const Condition = 1024

// Text returns s on a single line, safe to show, in at most limit bytes. If s does not fit, it is cut before a character and ends with
// the marker "…(N bytes)", N being the length of s. A limit of 0 means none. A limit below the marker's length leaves no room for the marker.
func Text(s string, limit int) string {
	return convert(s, limit, false)
}

// Lines is Text for output of several lines: newlines and tabs stay, and CR LF is a newline.
func Lines(s string, limit int) string {
	return convert(s, limit, true)
}

// Cut returns s, made valid UTF-8, in at most limit bytes, and marked as in Text if it
// was longer. It changes nothing else: it is for values that programs read, such as a
// label.
func Cut(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	return assemble(s, limit, func(character rune, _ int) string {
		return string(character) // the replacement character for a byte that is not UTF-8
	})
}

func convert(s string, limit int, multiline bool) string {
	if plain(s) && (limit <= 0 || len(s) <= limit) {
		return s
	}
	return assemble(s, limit, func(character rune, at int) string {
		switch {
		case multiline && (character == '\n' || character == '\t'):
			return string(character)
		case character == '\r' && at+1 < len(s) && s[at+1] == '\n':
			return "" // CR LF is one line's end
		case unicode.IsSpace(character), unicode.In(character, unicode.Z):
			return " "
		case !visible(character):
			return escape(character)
		}
		return string(character)
	})
}

// assemble joins the results of convert for each character of s, and stops at the limit:
// the cost depends on the limit, not on the length of s.
func assemble(s string, limit int, convert func(character rune, at int) string) string {
	marker := "…(" + strconv.Itoa(len(s)) + " bytes)"
	if limit > 0 && limit < len(marker) {
		marker = ""
	}
	var b strings.Builder
	marked := 0 // the length at which the marker still fits
	for at, character := range s {
		part := convert(character, at)
		if limit > 0 && b.Len()+len(part) > limit {
			return b.String()[:marked] + marker
		}
		b.WriteString(part)
		if b.Len()+len(marker) <= limit {
			marked = b.Len()
		}
	}
	return b.String()
}

// plain reports whether s is printable ASCII, as most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// visible reports whether a character is visible. unicode.IsPrint excludes control,
// format, private and unassigned characters; it includes ignorable letters (the Hangul
// filler, variation selectors) and the blank Braille pattern, which show nothing.
func visible(character rune) bool {
	const blankBraille = '\u2800'
	return unicode.IsPrint(character) && character != blankBraille &&
		!unicode.In(character, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func escape(character rune) string {
	switch {
	case character < 0x100:
		return fmt.Sprintf(`\x%02x`, character)
	case character < 0x10000:
		return fmt.Sprintf(`\u%04x`, character)
	}
	return fmt.Sprintf(`\U%08x`, character)
}
