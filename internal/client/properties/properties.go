// SPDX-License-Identifier: Apache-2.0

// Package properties turns the schema of a kind's spec into settings for a command line.
package properties

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// Property is one setting.
type Property struct {
	// Name is the path in the spec, with dots.
	Name string
	// Type is boolean, integer, number, string, quantity, or array.
	Type string
	// Enum has the valid values; empty for any.
	Enum []string
	// Default is the default value, as on a command line.
	Default string
	// Help is the description.
	Help string
	// Fields are the valid fields of the objects in an array, sorted; nil for any.
	Fields []string
}

// Values returns the valid values, nil for any.
func (p Property) Values() []string {
	if p.Type == typeBoolean {
		return []string{"true", "false"}
	}
	return p.Enum
}

// Optional reports whether an empty value resets the setting to its default. For a string,
// it is a value like any other.
func (p Property) Optional() bool {
	switch p.Type {
	case "integer", "number", "array", TypeQuantity:
		return len(p.Enum) == 0
	}
	return false
}

// DefaultValue returns the default as it is in an object. A text, a list and a truth
// value without a default have their empty value.
func (p Property) DefaultValue() any {
	switch {
	case p.Default != "":
		if value, err := p.parse(p.Default); err == nil {
			return value
		}
		return p.Default
	case p.Type == "string":
		return ""
	case p.Type == "array":
		return []any{}
	case p.Type == typeBoolean:
		return false
	}
	return nil
}

// Set is all settings of a kind.
type Set struct {
	properties []Property
	objects    map[string][]string // fields by the path of each object
}

// TypeQuantity is the type of a number with a suffix, as in 4Gi.
const TypeQuantity = "quantity"

const typeBoolean = "boolean"

// FromDefinition returns the settings in the spec of a definition's newest version,
// except the named ones.
func FromDefinition(definition *apiextensionsv1.CustomResourceDefinition, except ...string) (*Set, error) {
	for _, version := range definition.Spec.Versions {
		if !version.Served || version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
			continue
		}
		spec, ok := version.Schema.OpenAPIV3Schema.Properties["spec"]
		if !ok {
			break
		}
		set := &Set{objects: map[string][]string{}}
		set.add("", &spec, except)
		slices.SortFunc(set.properties, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
		return set, nil
	}
	return nil, fmt.Errorf("the definition %s has no spec", definition.Name)
}

func (s *Set) add(path string, schema *apiextensionsv1.JSONSchemaProps, except []string) {
	if slices.Contains(except, path) && path != "" {
		return
	}
	if len(schema.Properties) == 0 {
		s.properties = append(s.properties, Property{
			Name:    path,
			Type:    typeOf(schema),
			Enum:    values(schema.Enum),
			Default: value(schema.Default),
			Help:    schema.Description,
			Fields:  fieldsOf(schema.Items),
		})
		return
	}
	for name, field := range schema.Properties {
		full := strings.TrimPrefix(path+"."+name, ".")
		if slices.Contains(except, full) {
			continue
		}
		s.objects[path] = append(s.objects[path], full)
		s.add(full, &field, except)
	}
	slices.Sort(s.objects[path])
}

// fieldsOf returns the fields of the objects in an array.
func fieldsOf(items *apiextensionsv1.JSONSchemaPropsOrArray) []string {
	if items == nil || items.Schema == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(items.Schema.Properties))
}

func typeOf(schema *apiextensionsv1.JSONSchemaProps) string {
	if schema.XIntOrString {
		return TypeQuantity
	}
	return schema.Type
}

func values(list []apiextensionsv1.JSON) []string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = value(&list[i])
	}
	return texts
}

func value(v *apiextensionsv1.JSON) string {
	if v == nil {
		return ""
	}
	var text string
	if json.Unmarshal(v.Raw, &text) == nil {
		return text
	}
	return string(v.Raw)
}

// All returns the settings, sorted by name.
func (s *Set) All() []Property { return s.properties }

// Select returns the settings of the names, and those in the objects of the names, each
// once and sorted; all for no name.
func (s *Set) Select(names ...string) ([]Property, error) {
	if len(names) == 0 {
		return s.properties, nil
	}
	for _, name := range names {
		if _, isObject := s.objects[name]; isObject && name != "" {
			continue
		}
		if _, err := s.find(name); err != nil {
			return nil, err
		}
	}
	var selected []Property
	for _, property := range s.properties {
		if slices.ContainsFunc(names, func(name string) bool {
			return property.Name == name || strings.HasPrefix(property.Name, name+".")
		}) {
			selected = append(selected, property)
		}
	}
	return selected, nil
}

// Names returns the names of the settings, sorted.
func (s *Set) Names() []string {
	names := make([]string, len(s.properties))
	for i, property := range s.properties {
		names[i] = property.Name
	}
	return names
}

// CheckForm refuses arguments that are not assignments, without knowing the properties.
func CheckForm(assignments []string) error {
	for _, assignment := range assignments {
		if !strings.Contains(assignment, "=") {
			return misuse("%q: expected PROPERTY=VALUE", assignment)
		}
	}
	return nil
}

// misuse returns an error of the words on a command line. Clients of `rdd set` rely on
// exit code 1 for it, not that of usage.
func misuse(format string, args ...any) error {
	return fault.New(fault.Failed, "", "", fmt.Errorf(format, args...))
}

// Parse turns assignments (NAME=VALUE) into a spec, in which nil resets a value to its
// default. It returns an error for the first invalid one, with what is valid.
func (s *Set) Parse(assignments []string) (map[string]any, error) {
	if err := CheckForm(assignments); err != nil {
		return nil, err
	}
	spec := map[string]any{}
	texts := map[string]string{}
	for _, assignment := range assignments {
		name, text, _ := strings.Cut(assignment, "=")
		property, err := s.find(name)
		if err != nil {
			return nil, err
		}
		parsed, err := property.parse(text)
		if err != nil {
			return nil, misuse("property %q: %w", name, err)
		}
		if before, ok := texts[name]; ok && before != text {
			return nil, misuse("property %q is set twice, to %q and to %q", name, before, text)
		}
		texts[name] = text
		Assign(spec, strings.Split(name, "."), parsed)
	}
	return spec, nil
}

func (s *Set) find(name string) (Property, error) {
	for _, property := range s.properties {
		if property.Name == name {
			return property, nil
		}
	}
	if fields, ok := s.objects[name]; ok && name != "" {
		return Property{}, misuse("property %q is an object: set its fields: %s", name, strings.Join(fields, ", "))
	}
	return Property{}, misuse("unknown property %q: valid properties are %s", name, strings.Join(s.Names(), ", "))
}

func (p Property) parse(text string) (any, error) {
	if text == "" && p.Optional() {
		return nil, nil
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, text) {
		return nil, fmt.Errorf("%q: valid values are %s", text, strings.Join(p.Enum, ", "))
	}
	switch p.Type {
	case typeBoolean:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%q: expected boolean, true or false", text)
		}
		return text == "true", nil
	case "integer":
		parsed, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q: expected integer", text)
		}
		return parsed, nil
	case "number":
		parsed, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(parsed) || math.IsInf(parsed, 0) { // JSON has neither
			return nil, fmt.Errorf("%q: expected number", text)
		}
		return parsed, nil
	case TypeQuantity:
		if _, err := resource.ParseQuantity(text); err != nil {
			return nil, fmt.Errorf("%q: expected quantity, as in 4Gi", text)
		}
	case "array":
		var parsed []any
		if err := json.Unmarshal([]byte(text), &parsed); err != nil {
			return nil, fmt.Errorf("%q: expected array, in JSON", text)
		}
		return parsed, p.checkFields(parsed)
	}
	return text, nil
}

// checkFields refuses unknown fields of objects in an array: the API server would drop
// them silently.
func (p Property) checkFields(elements []any) error {
	for _, element := range elements {
		object, _ := element.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if len(p.Fields) > 0 && !slices.Contains(p.Fields, name) {
				return fmt.Errorf("unknown field %q: valid fields are %s", name, strings.Join(p.Fields, ", "))
			}
		}
	}
	return nil
}

// Assign sets the field at a path in a spec, and makes the objects on the way to it.
func Assign(spec map[string]any, path []string, parsed any) {
	for _, name := range path[:len(path)-1] {
		inner, ok := spec[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			spec[name] = inner
		}
		spec = inner
	}
	spec[path[len(path)-1]] = parsed
}
