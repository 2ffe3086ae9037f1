// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"
	"slices"
	"strings"
)

// All selects every controller.
const All = "*"

// Registry is the list of controllers of a program, in the order of their start.
type Registry []Controller

// Select returns the controllers that the selection names, in the registry's order. A
// selection is a comma-separated list, read from left to right: * adds all controllers,
// the name of an API group those of the group, a controller's name that controller, and
// a leading - removes. The empty selection is none.
//
// An unknown name is an error, and so is a selection without a controller that a
// selected one depends on.
func (r Registry) Select(selection string) ([]Controller, error) {
	selected := map[string]bool{}
	for term := range strings.SplitSeq(selection, ",") {
		term = strings.TrimSpace(term)
		if term == "" {
			continue
		}
		name, remove := strings.CutPrefix(term, "-")
		names := r.match(name)
		if len(names) == 0 {
			return nil, fmt.Errorf("unknown controller or API group %q: known are %s", name, r.Help())
		}
		for _, name := range names {
			selected[name] = !remove
		}
	}
	var chosen []Controller
	for _, controller := range r {
		if !selected[controller.Name] {
			continue
		}
		for _, need := range controller.DependsOn {
			if !selected[need] {
				return nil, fmt.Errorf("controller %q depends on %q: add it, or remove %q with -%s",
					controller.Name, need, controller.Name, controller.Name)
			}
		}
		chosen = append(chosen, controller)
	}
	return chosen, nil
}

func (r Registry) match(name string) []string {
	var names []string
	for _, controller := range r {
		if name == All || name == controller.Group || name == controller.Name {
			names = append(names, controller.Name)
		}
	}
	return names
}

// Group returns the controllers of an API group.
func (r Registry) Group(name string) []Controller {
	var controllers []Controller
	for _, controller := range r {
		if controller.Group == name {
			controllers = append(controllers, controller)
		}
	}
	return controllers
}

// Help lists the names for a selection: each API group with its controllers.
func (r Registry) Help() string {
	var groups []string
	members := map[string][]string{}
	for _, controller := range r {
		if !slices.Contains(groups, controller.Group) {
			groups = append(groups, controller.Group)
		}
		members[controller.Group] = append(members[controller.Group], controller.Name)
	}
	parts := make([]string, 0, len(groups)+1)
	parts = append(parts, All)
	for _, group := range groups {
		parts = append(parts, fmt.Sprintf("%s (%s)", group, strings.Join(members[group], ", ")))
	}
	return strings.Join(parts, ", ")
}

// Names returns the controllers' names.
func Names(controllers []Controller) []string {
	names := make([]string, len(controllers))
	for i, controller := range controllers {
		names[i] = controller.Name
	}
	return names
}
