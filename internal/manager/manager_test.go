// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

// patience is how long a manager may take to stop on a busy machine.
const patience = 20 * time.Second

// mute answers no watch until the client cancels it.
type mute struct {
	http.RoundTripper
	asked chan struct{}
}

func (m mute) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Query().Get("watch") == "" {
		return m.RoundTripper.RoundTrip(request)
	}
	select {
	case m.asked <- struct{}{}:
	default:
	}
	<-request.Context().Done()
	return nil, request.Context().Err()
}

// TestEndsBeforeCachesAreFull: a manager whose caches never sync stops when its context
// ends.
func TestEndsBeforeCachesAreFull(t *testing.T) {
	env := controlplanetest.Start(t)
	controllers := append(mirror.Controllers(engine.Drivers{}), app.Controllers()...)
	env.Install(manager.Definitions(controllers))
	asked := make(chan struct{}, 1)
	config := rest.CopyConfig(env.Server.ClientConfig())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return mute{next, asked} })
	m, err := manager.New(manager.Config{Controllers: controllers, REST: config, Holder: manager.Embedded(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over, give := context.WithCancel(t.Context())
	give()
	if err := m.WaitSynced(over); !errors.Is(err, context.Canceled) { // requests the informers of the kinds
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	<-asked
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the manager does not end")
	}
}
