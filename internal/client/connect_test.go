// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
)

const kubeconfig = `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}], users: [{name: u, user: {}}]}`

// justOver is a context whose deadline has passed, but whose timer has not fired yet.
type justOver struct{ context.Context }

func (justOver) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// TestTimeIsOver: no layer between a command and its request returns its own error for a
// deadline that has just passed, because the exit code depends on the error.
func TestTimeIsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(path)
	if err != nil {
		t.Fatal(err)
	}
	err = c.List(justOver{t.Context()}, &appv1alpha1.AppList{})
	if err == nil || strings.Contains(err.Error(), "limiter") {
		t.Errorf("nothing listens there: %v", err)
	}
}
