// SPDX-License-Identifier: Apache-2.0

// Package wording tells whether a failure that goes on says something new. Errors
// have parts that are others at each try, such as the name of a temporary file or
// the port of a connection: compared as they are, each try would be told again.
package wording

import (
	"regexp"
	"strings"
	"sync"
)

const (
	// longNumber is how many digits make a number one that varies, as a port or a
	// process ID does. Shorter ones say what happened: HTTP 404, exit code 1.
	longNumber = 4
	// hexLength and mixedLength are how long an identifier is that varies, of
	// hexadecimal digits and of letters and digits.
	hexLength   = 8
	mixedLength = 12
)

// varying are parts that are known by their form.
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

// Same reports whether two messages say the same, but for what varies.
func Same(a, b string) bool { return a == b || constant(a) == constant(b) }

// constant returns a message with what varies replaced.
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

// Told is what was told last of each of several subjects. The zero value has told
// nothing.
type Told struct {
	mu   sync.Mutex
	last map[string]string // guarded by mu
}

// News reports whether a failure of a subject says something else than the last
// one did, and takes it for told.
func (t *Told) News(subject string, failure error) bool {
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

// Over takes a subject for well, or gone: its next failure is news.
func (t *Told) Over(subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, subject)
}
