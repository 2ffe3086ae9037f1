// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"errors"
	"testing"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestUnreadableEvents: of an event that can't be decoded the kind is known, which the
// mirror then lists.
func TestUnreadableEvents(t *testing.T) {
	t.Parallel()
	e, err := New(Config{Endpoint: "unix:///nothing"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for _, topic := range topics {
		if topic == knockTopic {
			continue
		}
		envelope := &types.Envelope{Namespace: "default", Topic: topic, Event: &anypb.Any{Value: []byte{0xff}}}
		keys, err := e.subjects(envelope)
		if err == nil || groupKind(envelope) == "" {
			t.Errorf("%s: %v, of the kind %q", topic, err, groupKind(envelope))
		}
		for _, key := range keys {
			if engine.CheckKey(key) == nil {
				t.Errorf("%s: it is about %+v", topic, key)
			}
		}
	}
}

// TestCRIStartFails: what fails is not known to the CRI plugin.
func TestCRIStartFails(t *testing.T) {
	t.Parallel()
	e, err := New(Config{Endpoint: "unix:///nothing"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for kind, refused := range map[string]bool{"sandbox": true, "container": false} {
		known, err := e.criStart(t.Context(), &containersapi.Container{ID: "a", Labels: map[string]string{criKind: kind}})
		if known || err == nil || errors.Is(err, engine.ErrRefused) != refused {
			t.Errorf("a %s: known %t, error %v", kind, known, err)
		}
	}
}
