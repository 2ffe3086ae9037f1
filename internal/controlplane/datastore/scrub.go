// SPDX-License-Identifier: Apache-2.0

package datastore

import (
	"bytes"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const (
	hidden = "…"

	// shortest is the minimum length in bytes of a secret that is replaced. A shorter
	// one is part of many words.
	shortest = 3

	maxLine = 64 << 10 // bytes that a [Scrubber] keeps of a line that does not end
)

// secretWords are parts of the names of secret parameters.
var secretWords = []string{"pass", "pwd", "secret", "token", "credential"}

// HasSecret reports whether the address has a password or another secret.
func (a Address) HasSecret() bool { return len(a.passwords()) > 0 }

// passwords returns the secrets in the address, both escaped and unescaped.
func (a Address) passwords() (found []string) {
	scheme, rest := a.cut()
	if scheme == mysqlScheme {
		user, _ := strings.CutSuffix(rest[:max(0, strings.LastIndexByte(rest, '/'))], "@"+mysqlServer(rest))
		if _, password, ok := strings.Cut(user, ":"); ok && strings.Contains(rest, "@") {
			found = append(found, password)
		}
		_, params, _ := strings.Cut(rest, "?")
		return append(found, secretParams(params)...)
	}
	for _, text := range a.urls() {
		u, err := parseURL(text)
		if err != nil {
			return append(found, rest) // any part of it may be secret
		}
		if u.User != nil {
			password, ok := u.User.Password()
			raw := u.User.String()
			if !ok { // a token, of NATS
				password = u.User.Username()
			} else {
				_, raw, _ = strings.Cut(raw, ":")
			}
			_, typed, _ := strings.Cut(text, "://")
			typed = typed[:max(0, strings.LastIndexByte(strings.SplitN(typed, "/", 2)[0], '@'))]
			if ok {
				_, typed, _ = strings.Cut(typed, ":")
			}
			found = append(found, password, raw, typed)
		}
		found = append(found, secretParams(u.RawQuery)...)
	}
	return slices.DeleteFunc(found, func(s string) bool { return s == "" })
}

// secretParams returns the values of secret parameters.
func secretParams(query string) (found []string) {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = strings.ToLower(name)
		if value == "" || !slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) }) {
			continue
		}
		found = append(found, value)
		if meant, err := url.QueryUnescape(value); err == nil {
			found = append(found, meant)
		}
	}
	return found
}

// Scrub removes the address's secrets from text: drivers quote the address when they
// can't parse it or connect.
func (a Address) Scrub(text string) string {
	secrets := a.passwords()
	if len(secrets) == 0 {
		return text
	}
	_, rest := a.cut()
	shown := a.String()
	_, shownRest, _ := strings.Cut(shown, "://")
	text = strings.ReplaceAll(strings.ReplaceAll(text, a.Reveal(), shown), rest, shownRest)
	var forms []string
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]} {
			if len(form) >= shortest {
				forms = append(forms, form)
			} else {
				text = strings.ReplaceAll(text, ":"+form+"@", ":"+hidden+"@")
			}
		}
	}
	// One may be a part of another: replace the longest first.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, form := range slices.Compact(forms) {
		text = strings.ReplaceAll(text, form, hidden)
	}
	return text
}

// ScrubError returns err, which keeps its kind, with a text without the address's
// secrets; nil for nil.
func (a Address) ScrubError(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if clean := a.Scrub(text); clean != text {
		return &scrubbed{clean, err}
	}
	return err
}

type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string { return e.text }

// Unwrap keeps the kind of the error; its text is in Error.
func (e *scrubbed) Unwrap() error { return e.err }

// Scrubber writes lines without an address's secrets to a writer. It buffers an
// incomplete line, because two writes may split a secret.
type Scrubber struct {
	address Address

	mu   sync.Mutex
	w    io.Writer    // guarded by mu
	line bytes.Buffer // guarded by mu; an incomplete line
}

// NewScrubber returns a scrubber that writes to w.
func (a Address) NewScrubber(w io.Writer) *Scrubber { return &Scrubber{address: a, w: w} }

// Write implements [io.Writer].
func (s *Scrubber) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line.Write(data)
	end := bytes.LastIndexByte(s.line.Bytes(), '\n') + 1
	if end == 0 && s.line.Len() > maxLine {
		end = s.line.Len()
	}
	if end == 0 {
		return len(data), nil
	}
	if _, err := io.WriteString(s.w, s.address.Scrub(string(s.line.Next(end)))); err != nil {
		return 0, err
	}
	return len(data), nil
}
