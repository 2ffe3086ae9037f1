// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestFind asks for what can be the ID of a container only.
func TestFind(t *testing.T) {
	for name, tt := range map[string]struct {
		id    string
		asked bool
	}{
		"an ID":         {strings.Repeat("a1", 32), true},
		"a name":        {"My_web.1-a", true},
		"the longest":   {strings.Repeat("x", 253), true},
		"too long":      {strings.Repeat("x", 254), false},
		"nothing":       {"", false},
		"begins badly":  {".web", false},
		"two lines":     {"web%0Aweb", false},
		"another path":  {"web/other", false},
		"no ASCII text": {"w%C3%A9b", false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+tt.id, nil)
			_, _, err := find(request, func(context.Context, string) (engine.Engine, engine.Key, error) {
				asked = true
				return nil, engine.Key{}, nil
			})
			if asked != tt.asked || errors.Is(err, engine.ErrNotFound) == tt.asked {
				t.Errorf("asked %v, %v; want asked %v", asked, err, tt.asked)
			}
		})
	}
}

// TestUnknownContainer: a container that no engine has is a 404, whatever else
// the request is.
func TestUnknownContainer(t *testing.T) {
	unknown := func(context.Context, string) (engine.Engine, engine.Key, error) {
		return nil, engine.Key{}, engine.ErrNotFound
	}
	for name, handler := range map[string]http.Handler{"logs": Logs(unknown), "exec": Exec(unknown)} {
		t.Run(name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/c?tail=x&tty=x", nil))
			if answer.Code != http.StatusNotFound {
				t.Errorf("%d %s, want %d", answer.Code, answer.Body, http.StatusNotFound)
			}
		})
	}
}
