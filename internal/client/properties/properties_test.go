// SPDX-License-Identifier: Apache-2.0

package properties

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
)

// appProperties returns the properties of the real definition.
func appProperties(t *testing.T) *Set {
	t.Helper()
	definitions, err := manifest.ParseDefinitions([]manifest.Source{{Files: appv1alpha1.Files, Path: "crds/app.rancherdesktop.io_apps.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range definitions {
		if definition.Spec.Names.Plural != "apps" {
			continue
		}
		set, err := FromDefinition(definition, "namespace")
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	t.Fatal("no definition of App")
	return nil
}

func TestNames(t *testing.T) {
	want := []string{
		"application.updates.enabled", "application.updates.url", "containerEngine.endpoint", "containerEngine.name", "running",
		"virtualMachine.cpus", "virtualMachine.disk", "virtualMachine.image", "virtualMachine.memory", "virtualMachine.mounts",
	}
	set := appProperties(t)
	if got := set.Names(); !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	for _, property := range set.All() {
		switch property.Name {
		case "containerEngine.name":
			if !slices.Equal(property.Enum, []string{"moby", "containerd"}) || property.Default != "moby" {
				t.Errorf("%+v", property)
			}
		case "virtualMachine.disk":
			if property.Type != TypeQuantity || property.Default != "100Gi" || property.Help == "" {
				t.Errorf("%+v", property)
			}
		}
	}
}

func TestParse(t *testing.T) {
	spec, err := appProperties(t).Parse([]string{
		"running=true", "containerEngine.endpoint=tcp://127.0.0.1:2375?a=b", "virtualMachine.cpus=4", "virtualMachine.memory=4Gi",
		`virtualMachine.mounts=[{"location":"/home"}]`, "containerEngine.name=containerd",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"containerEngine":{"endpoint":"tcp://127.0.0.1:2375?a=b","name":"containerd"},"running":true,` +
		`"virtualMachine":{"cpus":4,"memory":"4Gi","mounts":[{"location":"/home"}]}}`
	if string(got) != want {
		t.Errorf("parsed %s\nwant   %s", got, want)
	}
}

// TestParseTakesBack: an empty value resets a property to its default, except a string.
func TestParseTakesBack(t *testing.T) {
	spec, err := appProperties(t).Parse([]string{
		"virtualMachine.cpus=", "virtualMachine.memory=", "virtualMachine.mounts=", "virtualMachine.image=", "running=true", "running=true",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"running":true,"virtualMachine":{"cpus":null,"image":"","memory":null,"mounts":null}}`; string(got) != want {
		t.Errorf("parsed %s\nwant   %s", got, want)
	}
	_, err = appProperties(t).Parse([]string{"running=true", "virtualMachine.cpus=2", "running=false"})
	if err == nil || !strings.Contains(err.Error(), `"running" is set twice, to "true" and to "false"`) {
		t.Errorf("a contradiction: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	set := appProperties(t)
	for assignment, words := range map[string][]string{
		"running":                   {"expected PROPERTY=VALUE"},
		"":                          {"expected PROPERTY=VALUE"},
		"=true":                     {"unknown property"},
		"runing=true":               {"unknown property", `"runing"`, "running", "virtualMachine.cpus"},
		"namespace=x":               {"unknown property"},
		"virtualMachine=2":          {"is an object", "virtualMachine.cpus", "virtualMachine.mounts"},
		"running=yes":               {"expected boolean"},
		"running=":                  {"expected boolean"},
		"virtualMachine.cpus=many":  {"expected integer"},
		"virtualMachine.cpus=1.5":   {"expected integer"},
		"virtualMachine.memory=big": {"expected quantity", "4Gi"},
		"containerEngine.name=dock": {"valid values", "moby, containerd"},
		"virtualMachine.mounts=/a":  {"expected array"},
		// The API server would drop the field silently.
		`virtualMachine.mounts=[{"location":"/a"},{"location":"/b","writeable":true}]`: {`unknown field "writeable"`, "location, mountPoint, writable"},
	} {
		_, err := set.Parse([]string{assignment})
		if err == nil {
			t.Errorf("%q was accepted", assignment)
			continue
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q: error %q does not contain %q", assignment, err, word)
			}
		}
	}
}
