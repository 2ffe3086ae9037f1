// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moby/moby/client"
	"k8s.io/client-go/rest"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestWishForWhatChangedMeanwhile: a container is stopped, and asked to start
// again, after the engine was asked how it is and before the desired state is read.
// That it ran then does not fulfil the request.
func TestWishForWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	held := &heldAnswer{held: make(chan struct{}), goOn: make(chan struct{})}
	e := newEnvWith(t, docker, engine.Endpoint(), func(config *rest.Config) { config.Wrap(held.wrap) })
	ids := engine.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	e.connect("moby")
	e.equal("moby")
	held.of.Store(&ids[0])
	_, err := docker.ContainerRename(t.Context(), ids[0], client.ContainerRenameOptions{NewName: "renamed"})
	e.must(err)
	<-held.held // the new name is written
	_, err = docker.ContainerStop(t.Context(), ids[0], client.ContainerStopOptions{})
	e.must(err)
	e.askAction(ids[0], containersv1alpha1.ActionStart)
	// A watch keeps the order: when this is done, the request before is known too.
	e.askAction(ids[1], containersv1alpha1.ActionStop)
	e.becomes(ids[1], containersv1alpha1.PhaseExited)
	close(held.goOn)
	e.becomes(ids[0], containersv1alpha1.PhaseRunning)
	if n := requests(engine.Server, "start"); n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
}

// TestDeletedBeforeItsStatusIsWritten: of an image with two tags the mirror of one
// is deleted as soon as it is there. That tag goes, and nothing else.
func TestDeletedBeforeItsStatusIsWritten(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	held := &heldAnswer{held: make(chan struct{}), goOn: make(chan struct{})}
	e := newEnvWith(t, docker, engine.Endpoint(), func(config *rest.Config) { config.Wrap(held.wrap) })
	e.connect("moby")
	e.equal("moby")
	images := "images"
	held.of.Store(&images)
	_, err := docker.ImageTag(t.Context(), client.ImageTagOptions{Source: busyboxImage, Target: "second:1"})
	e.must(err)
	<-held.held // it is made, and says nothing yet
	inspected, err := docker.ImageInspect(t.Context(), busyboxImage)
	e.must(err)
	m := &containersv1alpha1.Image{}
	m.Name, m.Namespace = containersv1alpha1.ImageName("moby", inspected.ID, "second:1"), namespace
	e.must(e.kube.Delete(t.Context(), m))
	close(held.goOn)
	e.eventually("the tag is gone", func() (bool, string) {
		now, err := docker.ImageInspect(t.Context(), busyboxImage)
		return err == nil && slices.Equal(now.RepoTags, []string{busyboxImage}), fmt.Sprint(now.RepoTags, err)
	})
	e.equal("moby")
}

// heldAnswer holds the answer to the next write of the status of one object, or
// to the next creation of one of a kind.
type heldAnswer struct {
	of   atomic.Pointer[string] // the object's name, or the plural of the kind
	held chan struct{}          // closed when it is held
	goOn chan struct{}
}

func (h *heldAnswer) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		id := h.of.Load()
		path := request.Method + " " + request.URL.Path
		if id != nil && (strings.HasPrefix(path, "PUT ") && strings.HasSuffix(path, "/"+*id+"/status") ||
			strings.HasPrefix(path, "POST ") && strings.HasSuffix(path, "/"+*id)) && h.of.CompareAndSwap(id, nil) {
			close(h.held)
			<-h.goOn
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
