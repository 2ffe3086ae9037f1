// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"plain":                      {"web-1", 1024, "web-1"},
		"empty":                      {"", 10, ""},
		"letters":                    {"größe 日本語", 1024, "größe 日本語"},
		"a Windows path":             {`C:\x1b`, 0, `C:\x1b`},
		"escape":                     {"a\x1b[31mred", 0, `a\x1b[31mred`},
		"bell":                       {"a\ab", 0, `a\x07b`},
		"delete":                     {"a\x7fb", 0, `a\x7fb`},
		"C1":                         {"a\u009b31mb", 0, `a\x9b31mb`},
		"newlines":                   {"one\ntwo\r\nthree\tfour\vfive", 0, "one two three four five"},
		"a lone CR":                  {"one\rtwo", 0, "one two"},
		"line separators":            {"a\u2028b\u2029c\u0085d", 0, "a b c d"},
		"no-break space":             {"a\u00a0b", 0, "a b"},
		"override":                   {"exe\u202etxt", 0, `exe\u202etxt`},
		"isolate":                    {"a\u2066b\u2069", 0, `a\u2066b\u2069`},
		"zero width":                 {"a\u200bb\u200dc\ufeffd", 0, `a\u200bb\u200dc\ufeffd`},
		"soft hyphen":                {"a\u00adb", 0, `a\xadb`},
		"tag":                        {"a\U000e0041", 0, `a\U000e0041`},
		"Hangul filler":              {"\u3164", 0, `\u3164`},
		"not UTF-8":                  {"a\xffb", 0, "a\ufffdb"},
		"C1 as a byte":               {"a\x9bb", 0, "a\ufffdb"},
		"as long as the limit":       {strings.Repeat("a", 20), 20, strings.Repeat("a", 20)},
		"longer":                     {strings.Repeat("a", 100), 20, "aaaaaa…(100 bytes)"},
		"cut before a character":     {strings.Repeat("é", 50), 20, "ééé…(100 bytes)"},
		"cut before an escape":       {strings.Repeat("\x1b", 100), 20, `\x1b…(100 bytes)`},
		"no room for the marker":     {strings.Repeat("a", 100), 5, "aaaaa"},
		"no room for a character":    {"日本", 2, ""},
		"longer by its escapes only": {strings.Repeat("\x1b", 10), 20, `\x1b…(10 bytes)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Text(test.text, test.limit); got != test.want {
				t.Errorf("Text(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
			}
		})
	}
}

func TestLinesKeepsLines(t *testing.T) {
	t.Parallel()
	if got, want := Lines("one\r\n\ttwo\x1b[2J\rthree", 0), "one\n\ttwo\\x1b[2J three"; got != want {
		t.Errorf("Lines = %q, want %q", got, want)
	}
}

func TestCutKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\x1b\n\u202e":            "a\x1b\n\u202e",
		"a\xff":                    "a\ufffd",
		strings.Repeat("é", 50):    "ééé…(100 bytes)",
		strings.Repeat("\xff", 30): "\ufffd\ufffd…(30 bytes)",
	} {
		if got := Cut(text, 20); got != want {
			t.Errorf("Cut(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "web", "a\x1b]0;title\a", "\u202eabc", "a\xff\xfe", strings.Repeat("日本語", 100), "\r\n\t\v\f\u0085\u2028", "\U000e0001\u3164\ufe0f"} {
		f.Add(seed, 0)
		f.Add(seed, 1)
		f.Add(seed, 40)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		for name, convert := range map[string]func(string, int) string{"Text": Text, "Lines": Lines} {
			got := convert(text, limit)
			if !utf8.ValidString(got) {
				t.Errorf("%s is not UTF-8: %q", name, got)
			}
			if limit > 0 && len(got) > limit {
				t.Errorf("%s has %d bytes, over %d", name, len(got), limit)
			}
			for _, character := range got {
				if name == "Lines" && (character == '\n' || character == '\t') {
					continue
				}
				if unicode.In(character, unicode.C) || character == '\u2028' || character == '\u2029' {
					t.Errorf("%s has %U: %q", name, character, got)
				}
			}
			if again := convert(got, limit); again != got {
				t.Errorf("%s of %q is %q", name, got, again)
			}
		}
		if limit > 0 {
			if got := Cut(text, limit); len(got) > limit || !utf8.ValidString(got) {
				t.Errorf("Cut(%q, %d) = %q", text, limit, got)
			}
		}
	})
}
