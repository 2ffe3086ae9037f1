// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"net"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/registry"
)

// pull makes a request.
func (e *env) pull(name, repoTag string) *containersv1alpha1.ImagePullRequest {
	e.t.Helper()
	request := &containersv1alpha1.ImagePullRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       containersv1alpha1.ImagePullRequestSpec{Namespace: e.inEngine, RepoTag: repoTag},
	}
	e.must(e.kube.Create(e.t.Context(), request))
	return request
}

// waitPull waits until a request is as wanted.
func (e *env) waitPull(request *containersv1alpha1.ImagePullRequest, what string, wanted func() bool) {
	e.t.Helper()
	e.eventually("the request for "+request.Spec.RepoTag+" "+what, func() (bool, string) {
		if err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(request), request); err != nil {
			return false, err.Error()
		}
		var state strings.Builder
		for _, c := range request.Status.Conditions {
			state.WriteString(c.Type + "=" + string(c.Status) + " " + c.Reason + ": " + c.Message + "\n")
		}
		return wanted(), state.String()
	})
}

func isTrue(request *containersv1alpha1.ImagePullRequest, condition string) bool {
	return apimeta.IsStatusConditionTrue(request.Status.Conditions, condition)
}

// imageWithTag returns the mirror of the image that has a tag, nil for none.
func (e *env) imageWithTag(tag string) *containersv1alpha1.Image {
	e.t.Helper()
	var images containersv1alpha1.ImageList
	e.list(&images)
	for i := range images.Items {
		if images.Items[i].Status.RepoTag == tag {
			return &images.Items[i]
		}
	}
	return nil
}

// registryReacher is an engine that reaches what listens beside it.
type registryReacher interface{ Listen() net.Listener }

// suitePulls pulls images from a registry: with a progress that is written
// seldom, refused, cancelled, and begun again by another manager.
func suitePulls(d *driver) {
	images := registry.Start(d.t, d.engine.engineUnderTest.(registryReacher).Listen())

	d.t.Log("the image is mirrored when the request is complete, and the progress is written twice a second at most")
	images.SetRate(2 << 20)
	reference := images.Push("team/app:v1", 3, 4<<20)
	request := d.pull("app", reference)
	watcher, err := d.kube.Watch(d.t.Context(), &containersv1alpha1.ImagePullRequestList{}, ctrlclient.InNamespace(namespace))
	d.must(err)
	defer watcher.Stop()
	last, began, writes, midway := int32(0), time.Now(), 0, false
	for event := range watcher.ResultChan() {
		seen, ok := event.Object.(*containersv1alpha1.ImagePullRequest)
		if !ok {
			d.t.Fatalf("%v", apierrors.FromObject(event.Object))
		}
		writes++
		if p := seen.Status.Progress; p != nil {
			if p.Percent < last {
				d.t.Errorf("the progress went from %d to %d percent", last, p.Percent)
			}
			if last = p.Percent; p.Percent > 0 && p.Percent < 100 && p.CurrentBytes > 0 && p.CurrentBytes < p.TotalBytes && len(p.Layers) == 3 {
				midway = true
			}
		}
		if isTrue(seen, containersv1alpha1.ConditionFailed) {
			d.t.Fatalf("it failed: %+v", seen.Status)
		}
		if isTrue(seen, containersv1alpha1.ConditionComplete) {
			request = seen
			break
		}
	}
	if d.imageWithTag(reference) == nil {
		d.t.Error("the request is complete, and the image is not mirrored")
	}
	if most := 3 + int(2*time.Since(began).Seconds()); writes > most {
		d.t.Errorf("%d writes in %s, at most %d are allowed", writes, time.Since(began), most)
	}
	if !midway && d.has.pullProgress {
		d.t.Error("no progress was seen between the beginning and the end")
	}
	if p := request.Status.Progress; p == nil || p.Percent != 100 || p.CurrentBytes != p.TotalBytes {
		d.t.Errorf("the end has the progress %+v", p)
	}
	d.equal("moby")

	d.t.Log("refused: the registry's words, once")
	missing := d.pull("missing", images.Host()+"/team/app:v2")
	d.waitPull(missing, "has failed", func() bool { return isTrue(missing, containersv1alpha1.ConditionFailed) })
	if isTrue(missing, containersv1alpha1.ConditionComplete) || missing.Status.CompletedAt == nil {
		d.t.Errorf("failed, with %+v", missing.Status)
	}

	d.t.Log("a request that is deleted stops pulling")
	images.SetRate(4 << 10)
	reference = images.Push("team/slow:v1", 1, 256<<10)
	slow := d.pull("slow", reference)
	d.waitPull(slow, "has begun", func() bool { return slow.Status.StartedAt != nil })
	d.must(d.kube.Delete(d.t.Context(), slow))

	d.t.Log("what a manager left unfinished the next one begins again")
	unfinished := d.pull("unfinished", reference)
	d.waitPull(unfinished, "has begun", func() bool { return unfinished.Status.StartedAt != nil })
	d.stopManager()
	images.SetRate(0)
	if d.hands.HasImage(d.t.Context(), reference) {
		d.t.Error("a pull without a request went on")
	}
	d.startManager()
	d.waitPull(unfinished, "is complete", func() bool { return isTrue(unfinished, containersv1alpha1.ConditionComplete) })
	d.equal("moby")

	d.t.Log("a request goes a minute after its end, and not before")
	d.must(d.kube.Get(d.t.Context(), ctrlclient.ObjectKeyFromObject(request), request))
	before := request.DeepCopy()
	request.Status.CompletedAt = &metav1.Time{Time: request.Status.CompletedAt.Add(-2 * time.Minute)}
	d.must(d.kube.Status().Patch(d.t.Context(), request, ctrlclient.MergeFrom(before)))
	d.restartManager()
	d.eventually("the old request is gone", func() (bool, string) {
		return apierrors.IsNotFound(d.kube.Get(d.t.Context(), ctrlclient.ObjectKeyFromObject(request), request)), ""
	})
	d.must(d.kube.Get(d.t.Context(), ctrlclient.ObjectKeyFromObject(unfinished), unfinished))

	for _, tag := range []string{images.Host() + "/team/app:v1", reference} {
		d.must(d.hands.Untag(d.t.Context(), tag))
	}
	d.equal("moby")
}
