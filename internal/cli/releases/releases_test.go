// SPDX-License-Identifier: Apache-2.0

package releases

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestLook(t *testing.T) {
	for feed, want := range map[string]struct {
		newest string
		newer  bool
		fails  bool
	}{
		`{"version":"9.9.9","url":"https://example.com/x"}`:                                       {newest: "9.9.9", newer: true},
		`{"version":"0.0.1"}`:                                                                     {newest: "0.0.1"},
		`[{"tag_name":"v1.2.3"},{"tag_name":"v10.0.0"},{"tag_name":"v9.0.0"}]`:                    {newest: "10.0.0", newer: true},
		`[{"tag_name":"v99.0.0","draft":true},{"tag_name":"v98.0.0-rc.1"},{"tag_name":"v0.0.2"}]`: {newest: "0.0.2"},
		`[]`:                {fails: true},
		`<html>`:            {fails: true},
		`{"version":"new"}`: {fails: true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(feed)) }))
		check, err := Look(t.Context(), server.URL)
		server.Close()
		if (err != nil) != want.fails || check.Newest != want.newest || check.Newer != want.newer {
			t.Errorf("%s: %+v, %v", feed, check, err)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := Look(t.Context(), server.URL); err == nil {
		t.Error("a feed that is not there is no error")
	}
}
