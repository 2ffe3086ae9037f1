// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/simulated"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/compare"
)

const sample = "../../docs/examples/simulated.yaml"

// simulation is a control plane that mirrors a simulated engine.
type simulation struct {
	*env
	path string
	ce   *containersv1alpha1.ContainerEngine
}

// simulate makes a ContainerEngine for a file with the content; for none where
// it is empty. Nothing is waited for.
func simulate(t *testing.T, content string) *simulation {
	t.Helper()
	s := &simulation{path: filepath.Join(t.TempDir(), "engine.yaml")}
	s.env = newEnv(t, nil, "file://"+filepath.ToSlash(s.path))
	if content != "" {
		s.write(content)
	}
	s.ce = s.createWith("sim", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.Type = containersv1alpha1.EngineSimulated
	})
	return s
}

func (s *simulation) write(content string) {
	s.t.Helper()
	s.must(os.WriteFile(s.path, []byte(content), 0o600))
}

// equalToFile waits until the mirrors are what the file says, read by an engine
// of its own.
func (s *simulation) equalToFile() {
	s.t.Helper()
	e, err := simulated.New(simulated.Config{Endpoint: s.endpoint})
	s.must(err)
	defer func() { _ = e.Close() }()
	want := map[string]fields{}
	for _, kind := range engine.Kinds {
		items, err := e.List(s.t.Context(), kind)
		s.must(err)
		for _, item := range items {
			object, err := e.Inspect(s.t.Context(), item.Key)
			s.must(err)
			addObject(want, s.ce.Name, object)
		}
	}
	s.eventually("the mirrors are equal to the file", func() (bool, string) {
		diff := cmp.Diff(want, s.mirrorSide(s.ce.Name))
		return diff == "", "(-file +mirror)\n" + diff
	})
}

func addObject(objects map[string]fields, engineName string, object engine.Object) {
	switch {
	case object.Container != nil:
		objects["container "+object.Key.ID] = compare.Container(object.Container)
	case object.Volume != nil:
		objects["volume "+containersv1alpha1.VolumeName(engineName, object.Key.ID)] = compare.Volume(object.Volume)
	case object.Network != nil:
		objects["network "+containersv1alpha1.NetworkName(engineName, object.Key.ID)] = compare.Network(object.Network)
	case object.Namespace != nil:
		objects["namespace "+object.Key.ID] = fields{}
	}
	for i := range object.Images {
		image := &object.Images[i]
		objects["image "+containersv1alpha1.ImageName(engineName, image.ID, image.RepoTag)] = compare.Image(image)
	}
}

// message returns the message of the ContainerEngine's condition.
func (s *simulation) message() string {
	s.t.Helper()
	return readyMessage(s.getEngine(s.ce.Name))
}

func readyMessage(ce *containersv1alpha1.ContainerEngine) string {
	ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
	if ready == nil {
		return ""
	}
	return ready.Message
}

// TestSimulatedSample: the file in the documentation is mirrored.
func TestSimulatedSample(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	s := simulate(t, string(content))
	s.waitReason(s.ce, containersv1alpha1.ReasonConnected)
	s.equalToFile()
	if status := s.ce.Status; status.Containers != 4 || status.Images != 5 || status.Volumes != 2 || status.Version != "simulated" || status.EngineID == "" {
		t.Errorf("the status says %+v", status)
	}
	var containers containersv1alpha1.ContainerList
	s.list(&containers, ctrlclient.MatchingFields{"status.name": "shop-web-1"})
	if len(containers.Items) != 1 {
		t.Fatalf("%d containers are called shop-web-1", len(containers.Items))
	}
	web := containers.Items[0].Status
	if web.PortSummary != "0.0.0.0:8080->80/tcp, 443/tcp" || web.ComposeProject != "shop" || web.PID != 4711 || web.Namespace != "default" ||
		!apimeta.IsStatusConditionTrue(web.Conditions, containersv1alpha1.ConditionRunning) {
		t.Errorf("shop-web-1 is %+v", web)
	}
	var images containersv1alpha1.ImageList
	s.list(&images, ctrlclient.MatchingFields{"status.id": web.Image})
	if len(images.Items) != 1 || images.Items[0].Status.RepoTag != "nginx:1.29" {
		t.Errorf("shop-web-1's image is %+v", images.Items)
	}
}

// TestSimulatedFollowsItsFile: changes are mirrored, and a file that can't be
// read costs no mirror.
func TestSimulatedFollowsItsFile(t *testing.T) {
	t.Parallel()
	s := simulate(t, "volumes: [{name: stays}, {name: changes}, {name: goes}]\ncontainers: [{name: web, imageName: nginx}]")
	s.waitReason(s.ce, containersv1alpha1.ReasonConnected)
	s.equalToFile()
	kept := s.versions()

	s.write("volumes: [{name: stays}, {name: changes, driver: other}, {name: comes}]\ncontainers: [{name: web, imageName: nginx}]")
	s.equalToFile()
	before := s.versions()
	stays := containersv1alpha1.VolumeName("sim", "stays")
	if kept[stays] != before[stays] {
		t.Errorf("a volume whose entry did not change was written: %s, then %s", kept[stays], before[stays])
	}

	s.write("volumes: [{name: stays, drivr: other}]")
	s.waitReason(s.ce, containersv1alpha1.ReasonDisconnected)
	if message := s.message(); !strings.Contains(message, s.path) || !strings.Contains(message, `volumes[0]: unknown field "drivr"`) {
		t.Errorf("the ContainerEngine says %q", message)
	}
	if diff := cmp.Diff(before, s.versions()); diff != "" {
		t.Errorf("mirrors were touched when the file became invalid: %s", diff)
	}
	s.must(os.Remove(s.path))
	s.eventually("the ContainerEngine says that the file is gone", func() (bool, string) {
		message := s.message()
		return strings.Contains(message, "engine.yaml: no such file") || strings.Contains(message, "cannot find"), message
	})
	if diff := cmp.Diff(before, s.versions()); diff != "" {
		t.Errorf("mirrors were touched when the file was gone: %s", diff)
	}

	s.write("volumes: [{name: stays}, {name: mended}]")
	s.waitReason(s.ce, containersv1alpha1.ReasonConnected)
	s.equalToFile()
	s.write("volumes: [{name: stays}, {name: more}]")
	s.equalToFile()
	if after := s.versions(); before[stays] != after[stays] {
		t.Errorf("a volume that did not change was written: %s, then %s", before[stays], after[stays])
	}
}

// TestSimulatedWithoutFile: the ContainerEngine says so, and connects when there
// is one.
func TestSimulatedWithoutFile(t *testing.T) {
	t.Parallel()
	s := simulate(t, "")
	s.waitReason(s.ce, containersv1alpha1.ReasonConnectFailed)
	if message := s.message(); !strings.Contains(message, s.path) || !strings.Contains(message, "next try in") {
		t.Errorf("the ContainerEngine says %q", message)
	}
	s.write("volumes: [{name: a}]")
	s.waitReason(s.ce, containersv1alpha1.ReasonConnected)
	s.equalToFile()
}

// TestSimulatedDeletion: the deletion of an object acts on the engine, which
// keeps what is in use, and leaves the file alone.
func TestSimulatedDeletion(t *testing.T) {
	t.Parallel()
	const file = "images: [{repoTag: nginx}]\nvolumes: [{name: data}]\ncontainers: [{name: web, id: web, imageName: nginx}]"
	s := simulate(t, file)
	s.waitReason(s.ce, containersv1alpha1.ReasonConnected)
	s.equalToFile()
	var images containersv1alpha1.ImageList
	s.list(&images)
	image := &images.Items[0]
	s.must(s.kube.Delete(t.Context(), image))
	image = waitReplaced(s.env, image, "container web is using its referenced image")
	container := &containersv1alpha1.Container{}
	s.must(s.kube.Get(t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: "web"}, container))
	for _, object := range []ctrlclient.Object{container, image} {
		s.must(s.kube.Delete(t.Context(), object))
		s.waitGone(object)
	}
	if content, err := os.ReadFile(s.path); err != nil || string(content) != file {
		t.Errorf("the file was written: %q, %v", content, err)
	}

	s.write(file[:len(file)-len("imageName: nginx}]")] + "imageName: nginx, status: paused}]")
	s.eventually("the container whose entry changed is there, and the image is not", func() (bool, string) {
		mirrors := s.mirrorSide("sim")
		return mirrors["container web"]["status"] == "paused" && len(mirrors) == 3, fmt.Sprint(mirrors)
	})
	s.setRunning(s.ce, false)
	s.waitReason(s.ce, containersv1alpha1.ReasonStopped)
	s.setRunning(s.ce, true)
	s.waitReason(s.ce, containersv1alpha1.ReasonConnected)
	s.equalToFile() // opened again, it has all that the file has
}

// waitGone waits until an object is gone.
func (e *env) waitGone(object ctrlclient.Object) {
	e.t.Helper()
	e.eventually(object.GetName()+" is gone", func() (bool, string) {
		err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), fmt.Sprint(err, object.GetFinalizers())
	})
}
