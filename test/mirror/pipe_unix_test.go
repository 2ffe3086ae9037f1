// SPDX-License-Identifier: Apache-2.0

//go:build unix

package mirror_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestANamedPipeForAnEndpoint: it fails at once, goes when it is deleted, and is in
// no other engine's way.
func TestANamedPipeForAnEndpoint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	e, _ := newFaulty(t, fakedocker.Config{})
	t.Cleanup(func() { // unblock a reader that waits for a writer
		if writer, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
			_ = writer.Close()
		}
	})
	pipe := e.createWith("pipe", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.Type, spec.Endpoint = containersv1alpha1.EngineSimulated, "file://"+path
	})
	e.waitReason(pipe, containersv1alpha1.ReasonConnectFailed)
	e.must(e.kube.Delete(t.Context(), pipe))
	e.connect("moby")
	e.eventually("the deleted ContainerEngine is gone", func() (bool, string) {
		err := e.kube.Get(t.Context(), keyOf(pipe), pipe)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	e.equal("moby")
}
