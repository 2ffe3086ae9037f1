// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// enumOf returns the values that a definition's file allows for a field.
func enumOf(t *testing.T, files fs.FS, name string, path ...string) []string {
	t.Helper()
	definitions, err := manifest.ParseDefinitions([]manifest.Source{{Files: files, Path: "crds/" + name + ".yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	schema := *definitions[0].Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, field := range path {
		if schema.Items != nil {
			schema = *schema.Items.Schema
		}
		schema = schema.Properties[field]
	}
	return stringsOf(t, schema.Enum)
}

func stringsOf(t *testing.T, values []apiextensionsv1.JSON) []string {
	t.Helper()
	var all []string
	for _, value := range values {
		var text string
		if err := json.Unmarshal(value.Raw, &text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

// TestDefinitionsHaveTheDrivers: the definitions that are applied from files, and the
// packages that don't connect, know the types of the registry.
func TestDefinitionsHaveTheDrivers(t *testing.T) {
	t.Parallel()
	types := func(has func(engine.Traits) bool) []string {
		var all []string
		for _, driver := range open.Drivers() {
			if has(driver.Traits) {
				all = append(all, string(driver.Type))
			}
		}
		return all
	}
	check := func(what string, got, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-registry +got)\n%s", what, diff)
		}
	}
	everyType := types(func(engine.Traits) bool { return true })
	check("ContainerEngine, spec.type", enumOf(t, containersv1alpha1.Files, "containers.rancherdesktop.io_containerengines", "spec", "type"), everyType)
	check("App, spec.containerEngine.name", enumOf(t, appv1alpha1.Files, "app.rancherdesktop.io_apps", "spec", "containerEngine", "name"),
		types(func(k engine.Traits) bool { return k.Socket != "" }))
	check("HostInfo, status.engines.type", enumOf(t, rddv1alpha1.Files, "rdd.rancherdesktop.io_hostinfos", "status", "engines", "type"),
		types(func(k engine.Traits) bool { return len(k.Places) > 0 }))
	var known []string
	for _, k := range traits.All() {
		known = append(known, string(k.Type))
		if diff := cmp.Diff(k, open.Drivers().Of(k.Type).Traits); diff != "" {
			t.Errorf("the driver for %s has other traits than the package traits\n%s", k.Type, diff)
		}
		if (len(k.Places) > 0) != (len(k.Pipes) > 0) {
			t.Errorf("%s is looked for on some systems only", k.Type)
		}
	}
	check("the package traits", known, everyType)
}

// TestDefinitionsKnowEndpoints: the API server accepts the endpoints that an engine of a
// type can have, and no others.
func TestDefinitionsKnowEndpoints(t *testing.T) {
	t.Parallel()
	e := prepareEnv(t, nil, "", func(*rest.Config) {}).begin()
	e.must(ctrlclient.IgnoreAlreadyExists(e.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})))
	accepts := func(object ctrlclient.Object) bool {
		t.Helper()
		err := e.kube.Create(t.Context(), object, ctrlclient.DryRunAll)
		if err != nil && !apierrors.IsInvalid(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	for _, k := range traits.All() {
		for scheme, text := range map[endpoint.Scheme]string{
			endpoint.Unix: "unix:///a", endpoint.NPipe: "npipe:////./pipe/a", endpoint.TCP: "tcp://a:1", endpoint.SSH: "ssh://a", endpoint.File: "file:///a", "": "http://a",
		} {
			if _, err := endpoint.Parse(text); (err == nil) != (scheme != "") {
				t.Fatalf("%s: %v", text, err)
			}
			has := slices.Contains(k.Schemes, scheme)
			ce := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: namespace}}
			ce.Spec = containersv1alpha1.ContainerEngineSpec{Type: k.Type, Endpoint: text}
			if got := accepts(ce); got != has {
				t.Errorf("a ContainerEngine of the type %s at %s: accepted %t, the driver %t", k.Type, text, got, has)
			}
			ce.Spec.SecretRef = &containersv1alpha1.SecretReference{Name: "a"}
			if got := accepts(ce); got != slices.Contains(k.SecretSchemes, scheme) {
				t.Errorf("a ContainerEngine of the type %s at %s with a Secret: accepted %t", k.Type, text, got)
			}
			if k.Socket == "" {
				continue
			}
			app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: appv1alpha1.AppName}}
			app.Spec.ContainerEngine = appv1alpha1.ContainerEngine{Name: appv1alpha1.EngineName(k.Type), Endpoint: text}
			if got := accepts(app); got != has {
				t.Errorf("an App with the engine %s at %s: accepted %t, the driver %t", k.Type, text, got, has)
			}
		}
	}
}
