// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestParseErrors: whatever is wrong with a file is said with where it is.
func TestParseErrors(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"no YAML":               {"a: b: c", "mapping values are not allowed"},
		"cut JSON":              {`{"containers": [`, "did not find expected"},
		"empty":                 {"# soon\n", "it is empty"},
		"two documents":         {"{}\n---\n{}\n", "more than one document"},
		"a key twice":           {"images: []\nimages: []\n", "line 2, already set in map"},
		"no lists":              {"just words", "it must have lists"},
		"unknown list":          {"container: yes", "unknown field; there are namespaces"},
		"no list":               {"containers: {}", "containers: must be a list"},
		"no entry":              {"containers: [web]", "containers[0]: must have fields"},
		"unknown field":         {"containers: [{name: a, imageName: i}, {name: b, imagename: i}]", `containers[1]: unknown field "imagename"`},
		"unknown inner field":   {"containers: [{name: a, ports: [{name: 80/tcp, binding: []}]}]", `containers[0]: unknown field "ports[0].binding"`},
		"wrong type":            {"containers: [{name: a, pid: many}]", "containers[0].pid: want int64, have string"},
		"wrong inner type":      {"containers: [{name: a, labels: {n: 1}}]", "containers[0].labels: want string, have number"},
		"wrong time":            {"volumes: [{name: a, createdAt: yesterday}]", `volumes[0].createdAt: parsing time "yesterday"`},
		"no name":               {"containers: [{imageName: i}]", "containers[0]: needs a name"},
		"no image":              {"containers: [{name: a}]", "containers[0]: needs an imageName"},
		"unknown status":        {"containers: [{name: a, imageName: i, status: up}]", `containers[0].status: "up" is none of created, running`},
		"a name twice":          {"containers: [{name: a, imageName: i}, {name: a, imageName: i, id: other}]", `containers[1].name: an entry before has "a" already`},
		"an id twice":           {"containers: [{name: a, imageName: i, id: x}, {name: b, imageName: i, id: x}]", `containers[1].id: an entry before has "x" already`},
		"a port twice":          {"containers: [{name: a, imageName: i, ports: [{name: 80/tcp}, {name: 80/tcp}]}]", `containers[0].ports[1].name: an entry before has "80/tcp" already`},
		"mount without a place": {"containers: [{name: a, imageName: i, mounts: [{name: v}]}]", "containers[0].mounts[0].destination: must not be empty"},
		"what only RDD knows":   {"containers: [{name: a, imageName: i, lastAction: {action: start, state: Failed, observedAt: null, completedAt: null}}]", "containers[0].lastAction: it is RDD's own"},
		"unknown condition":     {`containers: [{name: a, imageName: i, conditions: [{type: Ready, status: "True"}]}]`, `containers[0].conditions[0].type: "Ready"`},
		"half a condition":      {"containers: [{name: a, imageName: i, conditions: [{type: Dead}]}]", `containers[0].conditions[0].status: must be "True" or "False"`},
		"no tag":                {"images: [{size: 1}]", "images[0]: needs a repoTag or an id"},
		"bad tag":               {"images: [{repoTag: 'UPPER:1'}]", `images[0].repoTag: "UPPER:1" is no name with a tag`},
		"a tag twice":           {"images: [{repoTag: a}, {repoTag: 'docker.io/library/a:latest', id: x}]", `images[1].repoTag: an entry before has "a:latest" already`},
		"tagged and not":        {"images: [{repoTag: a, id: x}, {id: x}]", "images[1]: an entry before has the id x too"},
		"no volume's name":      {"volumes: [{driver: local}]", "volumes[0]: needs a name"},
		"a volume twice":        {"volumes: [{name: a}, {name: a}]", `volumes[1].name: an entry before has "a" already`},
		"unlisted namespace":    {"namespaces: [{name: a}]\nvolumes: [{name: v, namespace: b}]", `volumes[0].namespace: "b" is not in the list of namespaces`},
		"namespace's name":      {"namespaces: [{name: A_B}]", `namespaces[0].name: "A_B"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(test.file))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func mustParse(t *testing.T, file string) world {
	t.Helper()
	w, err := parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestDefaults: a short file is enough.
func TestDefaults(t *testing.T) {
	w := mustParse(t, `
# a comment, and the document begins after it
---
images: [{repoTag: nginx}]
volumes: [{name: data}]
containers:
- {name: web, imageName: docker.io/library/nginx, labels: {com.docker.compose.project: shop}, createdAt: 2030-01-02T03:04:05.678+01:00, ports: [{name: 80/tcp, bindings: [{hostIP: 127.0.0.1, hostPort: "8080"}]}]}
- {name: stopped, imageName: "elsewhere:1", status: paused, conditions: [{type: OOMKilled, status: "True"}]}
`)
	web := w[engine.Key{Kind: engine.KindContainer, ID: hashed("web")}].Container
	if web == nil {
		t.Fatalf("the container web is not there under its hashed name: %v", w)
	}
	if web.Status != containersv1alpha1.PhaseRunning || !apimeta.IsStatusConditionTrue(web.Conditions, containersv1alpha1.ConditionRunning) || len(web.Conditions) != 5 {
		t.Errorf("a container with no status: %s, %v", web.Status, web.Conditions)
	}
	if web.Image != imageID("nginx:latest") || web.ComposeProject != "shop" || web.PortSummary != "127.0.0.1:8080->80/tcp" || web.Namespace != defaultNamespace {
		t.Errorf("what follows from other fields: %+v", web)
	}
	if want := time.Date(2030, 1, 2, 2, 4, 5, 0, time.UTC); !web.CreatedAt.Time.Equal(want) {
		t.Errorf("created at %s, want %s", web.CreatedAt, want)
	}
	stopped := w[engine.Key{Kind: engine.KindContainer, ID: hashed("stopped")}].Container
	if stopped.Image != imageID("elsewhere:1") {
		t.Errorf("the image that is not in the file has the ID %s", stopped.Image)
	}
	for condition, want := range map[string]bool{
		containersv1alpha1.ConditionRunning: true, containersv1alpha1.ConditionPaused: true, containersv1alpha1.ConditionOOMKilled: true, containersv1alpha1.ConditionDead: false,
	} {
		if apimeta.IsStatusConditionTrue(stopped.Conditions, condition) != want {
			t.Errorf("%s of a paused container whose file says OOMKilled is not %t", condition, want)
		}
	}
	if _, ok := w[engine.Key{Kind: engine.KindImage, ID: imageID("nginx:latest")}]; !ok {
		t.Error("the image is not there under its tag's hash")
	}
	if volume := w[engine.Key{Kind: engine.KindVolume, ID: "data"}].Volume; volume == nil || volume.Driver != defaultDriver {
		t.Errorf("the volume: %+v", volume)
	}
	if _, ok := w[engine.Key{Kind: engine.KindNamespace, ID: defaultNamespace}]; !ok {
		t.Error("the default namespace is not there")
	}
}

// TestNothing: an engine without objects still has a namespace.
func TestNothing(t *testing.T) {
	for _, file := range []string{"{}", "containers: []\n"} {
		if w := mustParse(t, file); len(w) != 1 {
			t.Errorf("%q has %v", file, w)
		}
	}
}

func TestNamespaces(t *testing.T) {
	w := mustParse(t, `{"namespaces": [{"name": "one"}, {"name": "two"}], "volumes": [{"name": "a"}, {"name": "b", "namespace": "two"}]}`)
	for volume, want := range map[string]string{"a": "one", "b": "two"} {
		if got := w[engine.Key{Kind: engine.KindVolume, ID: volume}].Volume.Namespace; got != want {
			t.Errorf("volume %s is in namespace %q, want %q", volume, got, want)
		}
	}
}

// TestTagsOfOneImage: entries with the same ID are one image.
func TestTagsOfOneImage(t *testing.T) {
	w := mustParse(t, "images: [{repoTag: b, id: x}, {repoTag: a, id: x}, {id: untagged}]\ncontainers: [{name: c, imageName: a}, {name: d, imageName: x}]")
	image, ok := w.imageOf("a")
	if !ok || image.Key.ID != "x" || len(image.Images) != 2 || image.Images[0].RepoTag != "a:latest" {
		t.Errorf("the image with two tags: %+v", image)
	}
	for _, name := range []string{"c", "d"} {
		if c := w[engine.Key{Kind: engine.KindContainer, ID: hashed(name)}].Container; c.Image != "x" {
			t.Errorf("container %s has the image %s", name, c.Image)
		}
	}
}
