// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"google.golang.org/grpc"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// TestLongLines: a line that is too long to be decoded is left out, and the next
// ones are not.
func TestLongLines(t *testing.T) {
	t.Parallel()
	const stamp = "2026-01-01T00:00:00Z stdout F "
	file := io.MultiReader(strings.NewReader(stamp+"before\n"+stamp), strings.NewReader(strings.Repeat("x", limits.Line)), strings.NewReader("\n"+stamp+"after\n"))
	var got strings.Builder
	d := &decoder{from: bufio.NewReader(file), parse: parseCRILog, to: &got}
	if err := d.drain(); err != nil {
		t.Fatal(err)
	}
	if words := got.String(); !strings.HasPrefix(words, "before\n[a line of 16777247 bytes is left out") || !strings.HasSuffix(words, "]\nafter\n") {
		t.Errorf("%.200q", words)
	}
	if cap(d.begun) > limits.Small {
		t.Errorf("%d bytes are kept", cap(d.begun))
	}
}

// TestDeadlines: each call has one, but those that end when something happens.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for method, bounded := range map[string]bool{
		"/containerd.services.containers.v1.Containers/Get": true, "/containerd.services.tasks.v1.Tasks/CloseIO": true,
		"/containerd.services.tasks.v1.Tasks/Wait": false, "/containerd.services.transfer.v1.Transfer/Transfer": false,
	} {
		err := withDeadline(t.Context(), method, &containersapi.GetContainerRequest{}, nil, nil,
			func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				deadline, ok := ctx.Deadline()
				if ok != bounded || (ok && time.Until(deadline) > callTimeout) {
					t.Errorf("%s: deadline %v, %v", method, deadline, ok)
				}
				return nil
			})
		if err != nil {
			t.Error(err)
		}
	}
}
