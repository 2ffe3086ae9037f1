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

// Condition is the number of bytes that a condition or an Event may quote of an engine's text.
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

// Cut returns s, made valid UTF-8, in at most limit bytes and marked as in Text if it was longer. It changes nothing else: it is for values
// that programs read, such as a label.
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

// assemble joins what convert returns for each character of s, and stops at the limit: the work for a text of megabytes is that of the limit.
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

// plain says whether s is printable ASCII, which most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// visible says whether a reader sees the character where it stands. unicode.IsPrint excludes control, format, private and unassigned characters;
// letters that Unicode names ignorable (the Hangul filler, variation selectors) and the blank Braille pattern are printable there but show nothing.
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
