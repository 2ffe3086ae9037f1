// SPDX-License-Identifier: Apache-2.0

// Package wording decides whether a repeated failure is a new one. Errors have parts
// that vary between attempts, such as the name of a temporary file or the port of a
// connection, which must not count.
package wording

import (
	"regexp"
	"strings"
	"sync"
)

const (
	// longNumber is the number of digits from which a number varies, such as a port or
	// a process ID. Shorter numbers are significant: HTTP 404, exit code 1.
	longNumber = 4
	// hexLength and mixedLength are the minimum lengths of a varying identifier of
	// hexadecimal digits, and of letters and digits.
	hexLength   = 8
	mixedLength = 12
)

// varying matches parts that vary, by their form.
var varying = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`\b\d{4}-\d\d-\d\d[t ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:z|[+-]\d\d:?\d\d)?`, // a time
	`\b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b`,
	`\b(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+\b`, // a duration
	`\b0x[0-9a-f]+\b`,              // a pointer
	`\[?[0-9a-z.:%]*\]?:\d+->`,     // the near end of a connection
	`\bt(?:e?mp)[._-]?[0-9a-z]+\b`, // a temporary file
	`\b(?:p?pid|process|request[ _-]?id|trace[ _-]?id|attempt|try|retry|port)[ :=#"]+[0-9a-z-]*\d[0-9a-z-]*\b`,
}, "|"))

var token = regexp.MustCompile(`[0-9A-Za-z]+`)

// Same reports whether two messages are equal apart from varying parts.
func Same(a, b string) bool { return a == b || constant(a) == constant(b) }

// constant returns a message with its varying parts replaced.
func constant(message string) string {
	return token.ReplaceAllStringFunc(varying.ReplaceAllString(message, "*"), func(word string) string {
		if varies(word) {
			return "*"
		}
		return word
	})
}

// varies reports whether a word of letters and digits is an identifier or a long
// number.
func varies(word string) bool {
	digits, row, longest, hex := 0, 0, 0, true
	for _, character := range word {
		if character >= '0' && character <= '9' {
			digits++
			row++
			longest = max(longest, row)
			continue
		}
		row = 0
		hex = hex && strings.ContainsRune("abcdefABCDEF", character)
	}
	return longest >= longNumber || digits > 0 && (hex && len(word) >= hexLength || len(word) >= mixedLength)
}

// Reported has the last reported failure of each of several subjects. The zero value is
// ready to use.
type Reported struct {
	mu   sync.Mutex
	last map[string]string // guarded by mu
}

// Changed reports whether a failure of a subject differs from the last one, and records
// it.
func (t *Reported) Changed(subject string, failure error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	message := failure.Error()
	if last, ok := t.last[subject]; ok && Same(last, message) {
		return false
	}
	if t.last == nil {
		t.last = map[string]string{}
	}
	t.last[subject] = message
	return true
}

// Clear clears a subject that has recovered or is deleted: its next failure is new.
func (t *Reported) Clear(subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, subject)
}
