// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/properties"
)

// Source is where the value of a setting comes from.
type Source string

// The sources.
const (
	SourceDefault Source = "default" // the value is the default, written or not
	SourceSet     Source = "set"
)

// Setting is a property of the App with its value.
type Setting struct {
	Name string `json:"name"`
	// Value is as in the object; nil for none.
	Value   any    `json:"value"`
	Default any    `json:"default"`
	Source  Source `json:"source"`
}

// Text returns the value as `rdd set` takes it.
func (s Setting) Text() string {
	if text, ok := s.Value.(string); ok || s.Value == nil {
		return text
	}
	data, err := json.Marshal(s.Value)
	if err != nil {
		return ""
	}
	return string(data)
}

// Settings returns the settings of the App, or, if there is none, those that a new
// one would have, by name. Names selects properties, and objects with all that is in
// them; none selects all. Nothing is changed: a default that depends on the machine is
// asked for by a dry run.
func (s *Session) Settings(ctx context.Context, names ...string) ([]Setting, error) {
	set, err := s.AppProperties(ctx)
	if err != nil {
		return nil, err
	}
	selected, err := set.Select(names...)
	if err != nil {
		return nil, err
	}
	api, err := s.API()
	if err != nil {
		return nil, err
	}
	app := &unstructured.Unstructured{}
	app.SetGroupVersionKind(appv1alpha1.GroupVersion.WithKind("App"))
	err = api.Get(ctx, appKey, app)
	reset := map[string]any{}
	if err == nil {
		reset = undecided(selected)
	}
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	made := apierrors.IsNotFound(err)
	defaults := app
	if made || len(reset) > 0 {
		if defaults, err = s.wouldBe(ctx, reset); err != nil {
			return nil, err
		}
	}
	if made {
		app = defaults
	}
	settings := make([]Setting, 0, len(selected))
	for _, property := range selected {
		setting := Setting{Name: property.Name, Value: valueAt(app, property.Name), Default: property.DefaultValue(), Source: SourceDefault}
		if setting.Default == nil && isUndecided(property) {
			setting.Default = valueAt(defaults, property.Name)
		}
		if setting.Value == nil {
			setting.Value = setting.Default
		}
		if !reflect.DeepEqual(setting.Value, setting.Default) {
			setting.Source = SourceSet
		}
		settings = append(settings, setting)
	}
	return settings, nil
}

// isUndecided reports whether the default of a property is not in the definition but
// decided at a write.
func isUndecided(p properties.Property) bool {
	return p.Default == "" && (p.Type == properties.TypeQuantity || p.Type == "integer" || p.Type == "number")
}

// undecided returns the spec that takes back all values whose defaults are undecided.
func undecided(all []properties.Property) map[string]any {
	spec := map[string]any{}
	for _, property := range all {
		if isUndecided(property) {
			properties.Assign(spec, strings.Split(property.Name, "."), nil)
		}
	}
	return spec
}

// wouldBe returns the App as it would be with a change, which is not made.
func (s *Session) wouldBe(ctx context.Context, spec map[string]any) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return nil, err
	}
	return s.writeApp(ctx, spec, data, true)
}

func valueAt(object *unstructured.Unstructured, name string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, append([]string{"spec"}, strings.Split(name, ".")...)...)
	return value
}
