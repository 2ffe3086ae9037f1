// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Container returns the container with the name, or else the container whose ID begins
// with it or whose object has that name. The error reports no match, or lists several.
func (l *Lister) Container(ctx context.Context, name string) (*containersv1alpha1.Container, error) {
	var named containersv1alpha1.ContainerList
	options := append(l.Scope.options(), client.MatchingFields{"status.name": name})
	if err := l.Client.List(ctx, &named, options...); err != nil {
		return nil, explain(err, containersGroup)
	}
	found := named.Items
	if len(found) == 0 {
		var all containersv1alpha1.ContainerList
		if err := l.Client.List(ctx, &all, l.Scope.options()...); err != nil {
			return nil, explain(err, containersGroup)
		}
		found = slices.DeleteFunc(all.Items, func(c containersv1alpha1.Container) bool {
			return name == "" || !strings.HasPrefix(ID(&c), name) && c.Name != name
		})
	}
	if len(found) == 0 {
		return nil, l.missing(ctx, name)
	}
	return one(name, found)
}

// missing explains why a container is not found: no container has the name, or the
// mirrors may be stale.
func (l *Lister) missing(ctx context.Context, name string) error {
	_, err := one(name, nil)
	lines, unknown := l.Staleness(ctx)
	if unknown != nil || len(lines) == 0 {
		return err
	}
	return fmt.Errorf("container %q not found: %s", name, strings.Join(lines, "; "))
}

// Complete returns the container names with a prefix, or, if there are none, the short
// IDs. A tab and a description follow each. If running is set, only running containers
// are included.
func (l *Lister) Complete(ctx context.Context, prefix string, running bool) ([]string, error) {
	var all containersv1alpha1.ContainerList
	if err := l.Client.List(ctx, &all, l.Scope.options()...); err != nil {
		return nil, explain(err, containersGroup)
	}
	var names, ids []string
	for i := range all.Items {
		c := &all.Items[i]
		if running && c.Status.Status != containersv1alpha1.PhaseRunning {
			continue
		}
		about := fmt.Sprintf("\t%s, %s", c.Status.Status, c.Status.ImageName)
		if name := c.Status.Name; name != "" && strings.HasPrefix(name, prefix) {
			names = append(names, name+about)
		}
		if id := ID(c); strings.HasPrefix(id, prefix) {
			ids = append(ids, id[:min(len(id), max(shortID, len(prefix)))]+about)
		}
	}
	if len(names) == 0 {
		names = ids
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// one returns the only container in found, or an error.
func one(name string, found []containersv1alpha1.Container) (*containersv1alpha1.Container, error) {
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no container with name or ID %q found (see `rdd ps`)", name)
	case 1:
		return &found[0], nil
	}
	var candidates []string
	for i := range found {
		c := &found[i]
		candidate := fmt.Sprintf("%s of %s", cells{}.id(ID(c)), engineOf(c))
		if ID(c) != c.Name { // an engine with namespaces: IDs can repeat
			candidate = fmt.Sprintf("%s in %s of %s (%s)", cells{}.id(ID(c)), c.Status.Namespace, engineOf(c), c.Name)
		}
		candidates = append(candidates, candidate)
	}
	slices.Sort(candidates)
	return nil, fmt.Errorf("%q matches several containers (use a longer ID, the object's name, --namespace or --engine): %s", name, strings.Join(candidates, ", "))
}
