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

// Container returns the one container that has the name, or else whose ID begins
// with it, or whose object's name is it. An error says that there is none, or lists those that there are.
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

// missing says why there is no container of a name: as none has it, or as the
// engines are not connected.
func (l *Lister) missing(ctx context.Context, name string) error {
	_, err := one(name, nil)
	lines, unknown := l.Worth(ctx)
	if unknown != nil || len(lines) == 0 {
		return err
	}
	return fmt.Errorf("container %q is not listed: %s", name, strings.Join(lines, "; "))
}

// Complete returns what of [Lister.Container]'s names begins with a prefix: names
// or, where there is no such name, IDs as people read them. Behind a tab follows
// what the container is. With running they are of those only that run.
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

// one returns the one container that was found.
func one(name string, found []containersv1alpha1.Container) (*containersv1alpha1.Container, error) {
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no container has the name %q, or an ID that begins with it (see `rdd ps`)", name)
	case 1:
		return &found[0], nil
	}
	var candidates []string
	for i := range found {
		c := &found[i]
		candidate := fmt.Sprintf("%s of %s", cells{}.id(ID(c)), engineOf(c))
		if ID(c) != c.Name { // the engine has namespaces, in which IDs repeat
			candidate = fmt.Sprintf("%s in %s of %s (%s)", cells{}.id(ID(c)), c.Status.Namespace, engineOf(c), c.Name)
		}
		candidates = append(candidates, candidate)
	}
	slices.Sort(candidates)
	return nil, fmt.Errorf("%q is not one container but several (use more of the ID, the object's name, --namespace or --engine): %s", name, strings.Join(candidates, ", "))
}
