// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// TestFailureKeepsTheBeginning: of an error that is too long to be read whole the
// user still sees how the engine's message begins.
func TestFailureKeepsTheBeginning(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		message string
		want    string // how the result begins
	}{
		"short":           {"no such container: web", "no such container: web"},
		"long":            {"unable to remove: " + strings.Repeat("x", 100_000), "unable to remove: xxx"},
		"long and quoted": {`a "b" ` + strings.Repeat(`\"`, 50_000), `a "b" \"`},
		"long, letters":   {"größe " + strings.Repeat("日本語", 30_000), "größe 日本語"},
		"long, emoji":     {"x " + strings.Repeat("\U0001f600", 30_000), "x \U0001f600"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for shift := range 12 { // the cut is at another byte of a character each time
				body, err := json.Marshal(map[string]string{"message": test.message[:len(test.want)] + strings.Repeat("y", shift) + test.message[len(test.want):]})
				if err != nil {
					t.Fatal(err)
				}
				got := messageOf(t, string(body))
				if !strings.HasPrefix(got, test.want) || !utf8.ValidString(got) || len(got) > limits.Failure {
					t.Fatalf("%d bytes: %.80q", len(got), got)
				}
			}
		})
	}
	long := strings.Repeat("x", limits.Failure)
	for _, body := range []string{"", "null", "[]", `{"message":7}`, `{"error":"x"}`, `{"other":"` + long, `{"message":"\u` + long, long} {
		if got := messageOf(t, body); !strings.Contains(got, "500 Internal Server Error with no message") {
			t.Errorf("of %.40q: %.80q", body, got)
		}
	}
}

// messageOf returns the message that an engine's client sees of an error with a body.
func messageOf(t *testing.T, body string) string {
	t.Helper()
	response := failure(&http.Response{
		StatusCode: http.StatusInternalServerError,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	})
	defer func() { _ = response.Body.Close() }()
	var words struct{ Message string }
	if err := json.NewDecoder(response.Body).Decode(&words); err != nil {
		t.Fatal(err)
	}
	return words.Message
}
