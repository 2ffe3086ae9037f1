// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"errors"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

// TestBackoff: each failure in a row doubles the pause, up to the longest.
func TestBackoff(t *testing.T) {
	clock := testclock.NewFakeClock(time.Now())
	for name, c := range map[string]struct {
		first time.Duration
		want  map[int]time.Duration // by failures
	}{
		"as set up":           {time.Second, map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute}},
		"longer at the start": {time.Hour, map[int]time.Duration{1: 5 * time.Minute, 3: 5 * time.Minute}},
	} {
		var a attempts
		for failures := 1; failures <= 1000; failures++ {
			a.fail(Config{Clock: clock, FirstPause: c.first, LongestPause: 5 * time.Minute}, opBoot, errors.New("it failed"))
			if got, want := a.until.Sub(clock.Now()), c.want[failures]; want != 0 && got != want {
				t.Errorf("%s: after %d failures: %s, want %s", name, failures, got, want)
			}
		}
	}
}

func TestRender(t *testing.T) {
	const text = "# about\nparam:\n  A: one # first\n  B: 2\nscript: |\n  echo \\(x) \"{{.Param.A}}\"\n"
	for what, test := range map[string]struct {
		template string
		params   map[string]string
		want     string
		failure  string
		kind     error
	}{
		"none":       {template: "not: [even", want: "not: [even"},
		"one":        {template: text, params: map[string]string{"A": "yes"}, want: strings.Replace(text, "one # first", `"yes"`, 1)},
		"a number":   {template: text, params: map[string]string{"B": "010"}, want: strings.Replace(text, "2", `"010"`, 1)},
		"a line":     {template: text, params: map[string]string{"B": "a\nb: c"}, want: strings.Replace(text, "2", `"a\nb: c"`, 1)},
		"unknown":    {template: text, params: map[string]string{"C": ""}, failure: `"C" is not declared in the template's field param, which has A, B`, kind: errParam},
		"undeclared": {template: "a: b", params: map[string]string{"C": ""}, failure: "which has none", kind: errParam},
		"no YAML":    {template: "a: [", params: map[string]string{"C": ""}, failure: "read the template"},
		"no mapping": {template: "- a", params: map[string]string{"C": ""}, failure: "not a YAML mapping"},
	} {
		got, err := render(test.template, test.params)
		if test.failure == "" && (err != nil || !same(got, test.want)) {
			t.Errorf("%s: %v:\n%s\nwant\n%s", what, err, got, test.want)
		}
		if test.failure != "" && (err == nil || !strings.Contains(err.Error(), test.failure) || test.kind != nil && !errors.Is(err, test.kind)) {
			t.Errorf("%s: %v, want %s", what, err, test.failure)
		}
	}
}

func TestSame(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"a: 1\nb: 2", "# words\nb: 2\na: 1", true},
		{"a: 1", "a: '1'", false},
		{"a: 1", "a: 2", false},
		{"a: [", "a: [", true},
		{"a: [", "a: {", false},
	} {
		if got := same(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %v", test.a, test.b, got)
		}
	}
}
