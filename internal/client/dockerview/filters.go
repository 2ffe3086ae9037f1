// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// engineFilter is the filter that Docker does not have: by the mirror's ContainerEngine.
const engineFilter = "engine"

// Filters are the values of --filter by name. As in Docker's commands, the values of a
// label filter must all match, and of the others one.
type Filters map[string][]string

// String implements the Value of a flag.
func (f Filters) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		for _, value := range f[name] {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, ",")
}

// Type implements the Value of a flag.
func (f Filters) Type() string { return "filter" }

// Set implements the Value of a flag.
func (f Filters) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q must be NAME=VALUE", text)
	}
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
	if !slices.Contains(f[name], value) {
		f[name] = append(f[name], value)
	}
	return nil
}

// match reports whether a value equals, or matches as a regular expression, one of the
// filter's values, or there are none.
func (f Filters) match(name, value string) bool {
	if f.exact(name, value) {
		return true
	}
	return slices.ContainsFunc(f[name], func(pattern string) bool {
		matched, err := regexp.MatchString(pattern, value)
		return err == nil && matched // Docker ignores an invalid expression, too
	})
}

// exact reports whether a value is one of the filter's values, or there are none.
func (f Filters) exact(name, value string) bool {
	return len(f[name]) == 0 || slices.Contains(f[name], value)
}

// labels reports whether labels have all keys, or keys and values, of the filter label.
func (f Filters) labels(labels map[string]string) bool {
	return !slices.ContainsFunc(f["label"], func(wanted string) bool {
		key, value, valued := strings.Cut(wanted, "=")
		has, found := labels[key]
		return !found || valued && has != value
	})
}

// engine reports whether a mirror is of one of the engines in the filter engine: NAME
// or NAMESPACE/NAME.
func (f Filters) engine(obj client.Object) bool {
	name := obj.GetLabels()[containersv1alpha1.EngineLabel]
	return f.exact(engineFilter, name) || f.exact(engineFilter, obj.GetNamespace()+"/"+name)
}

// dangling returns the value of the filter dangling, and whether it is given.
func (f Filters) dangling() (value, given bool, err error) {
	const name = "dangling"
	for i, text := range f[name] {
		var next bool
		switch text {
		case "1", "true":
			next = true
		case "0", "false":
		default:
			return false, false, fmt.Errorf("filter %s=%q: must be true or false", name, text)
		}
		if i > 0 && next != value {
			return false, false, fmt.Errorf("filter %s: must not be both true and false", name)
		}
		value = next
	}
	return value, len(f[name]) > 0, nil
}

// oneOf makes sure that all values of a filter are among the allowed ones.
func (f Filters) oneOf(name string, allowed ...string) error {
	for _, value := range f[name] {
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("filter %s=%q: must be one of %s", name, value, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// check makes sure that a kind has all the filters.
func (f Filters) check(kind *Kind) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if why, ok := kind.unanswered[name]; ok {
			return fmt.Errorf("filter %q is not supported: %s", name, why)
		}
		if !slices.Contains(kind.filters, name) {
			return fmt.Errorf("unknown filter %q: must be one of %s", name, strings.Join(kind.filters, ", "))
		}
	}
	return kind.check(f)
}
