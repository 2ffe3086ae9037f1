// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"regexp"
	"slices"
	"strings"
)

// hidden stands for what was taken out.
const hidden = "[redacted]"

// shortestSecret is how many bytes a known secret has at least. Shorter ones would take
// words apart that have nothing to do with them.
const shortestSecret = 6

// redactor takes secrets out of texts: those that are known, and what looks like one.
type redactor struct{ known []string }

// add makes values known, and each line of them, as a key has several.
func (r *redactor) add(values ...string) {
	for _, value := range values {
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= shortestSecret && !strings.HasPrefix(line, "-----") {
				r.known = append(r.known, line)
			}
		}
	}
}

// pattern is what a secret looks like. The first group stays.
type pattern struct {
	re   *regexp.Regexp
	with string
}

var patterns = []pattern{
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`), hidden},
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*):[^\s"']*@`), "${1}:" + hidden + "@"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`), "${1} " + hidden},
	{regexp.MustCompile(`(?i)(--?[\w-]*(?:passw|passphrase|secret|token|api-?key|credential)[\w-]*(?:=|\s+))("[^"]*"|'[^']*'|[^\s"',;]+)`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)([\w.-]*(?:passw|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|authorization)[\w.-]*\\?["']?[ \t]*[:=][ \t]*)(\\?"[^"\n]*"|\\?'[^'\n]*'|[^\s"',;&{}\[\]]+)`), "${1}" + hidden},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?`), hidden},
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abprs]-[A-Za-z0-9-]{10,}`), hidden},
}

// text returns a text without secrets.
func (r *redactor) text(text string) string {
	known := slices.Compact(slices.Sorted(slices.Values(r.known)))
	slices.SortStableFunc(known, func(a, b string) int { return len(b) - len(a) }) // the longest first
	pairs := make([]string, 0, 2*len(known))
	for _, secret := range known {
		pairs = append(pairs, secret, hidden)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	for _, p := range patterns {
		text = p.re.ReplaceAllString(text, p.with)
	}
	return text
}

// dropped are fields of objects whose values may hold anything that a user gave a
// container or a machine.
var dropped = []string{"args", "env", "command", "labels", "annotations", "managedFields", "params", "options", "healthcheck"}

// prune takes fields out of an object that may hold secrets, and says how many values
// they had.
func prune(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			if slices.Contains(dropped, name) {
				value[name] = leftOut(inner)
				continue
			}
			value[name] = prune(inner)
		}
	case []any:
		for i := range value {
			value[i] = prune(value[i])
		}
	}
	return value
}

func leftOut(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return map[string]any{"leftOut": int64(len(value))}
	case []any:
		return map[string]any{"leftOut": int64(len(value))}
	}
	return hidden
}
