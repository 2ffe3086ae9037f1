// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Container returns the container that a user names, see [MatchContainers].
func (l *Lister) Container(ctx context.Context, name string) (*containersv1alpha1.Container, error) {
	found, err := l.Containers(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	return found[0].Container, found[0].Err
}

// Found is a container that a user names, or why there is none.
type Found struct {
	Container *containersv1alpha1.Container
	Err       error
}

// Containers returns the container that the user means by each of the names.
func (l *Lister) Containers(ctx context.Context, names []string) ([]Found, error) {
	var all containersv1alpha1.ContainerList
	options := l.Scope.options()
	if len(names) == 1 && !strings.Contains(names[0], "/") { // most often enough, and less to read
		options = append(options, client.MatchingFields{"status.name": names[0]})
	}
	if err := l.Client.List(ctx, &all, options...); err != nil {
		return nil, explain(err, containersGroup)
	}
	if len(all.Items) == 0 {
		if err := l.Client.List(ctx, &all, l.Scope.options()...); err != nil {
			return nil, explain(err, containersGroup)
		}
	}
	found := make([]Found, len(names))
	for i, name := range names {
		c, err := MatchContainers(all.Items, name)
		if errors.Is(err, errNotFound) {
			err = l.missing(ctx, name)
		}
		found[i] = Found{c, err}
	}
	return found, nil
}

// errNotFound is the kind of a notFoundError.
var errNotFound = errors.New("no container found")

// MatchContainers returns the container with the name, or else the container whose ID
// begins with it or whose object has that name. ENGINE/NAME selects a container of the
// ContainerEngine of that name. The error reports no match, or lists several.
func MatchContainers(containers []containersv1alpha1.Container, name string) (*containersv1alpha1.Container, error) {
	for _, matches := range []func(*containersv1alpha1.Container, string) bool{
		func(c *containersv1alpha1.Container, name string) bool { return ID(c) == name || c.Name == name },
		func(c *containersv1alpha1.Container, name string) bool { return c.Status.Name == name },
		func(c *containersv1alpha1.Container, name string) bool {
			return name != "" && strings.HasPrefix(ID(c), name)
		},
	} {
		var found []containersv1alpha1.Container
		for i := range containers {
			c := &containers[i]
			rest, inEngine := withoutEngine(name, EngineOf(c))
			if matches(c, name) || inEngine && matches(c, rest) {
				found = append(found, *c)
			}
		}
		if len(found) > 0 {
			return one(name, found)
		}
	}
	return one(name, nil)
}

// withoutEngine returns the name without the engine before it, which is the whole one or
// only its name. ok reports whether it is there.
func withoutEngine(name, engine string) (rest string, ok bool) {
	for _, prefix := range []string{engine, engine[strings.LastIndexByte(engine, '/')+1:]} {
		if rest, ok := strings.CutPrefix(name, prefix+"/"); ok {
			return rest, true
		}
	}
	return "", false
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
		return nil, notFoundError(name)
	case 1:
		return &found[0], nil
	}
	var candidates []string
	for i := range found {
		c := &found[i]
		candidate := fmt.Sprintf("%s of %s", cells{}.id(ID(c)), EngineOf(c))
		if ID(c) != c.Name { // an engine with namespaces: IDs can repeat
			candidate = fmt.Sprintf("%s in %s of %s (%s)", cells{}.id(ID(c)), c.Status.Namespace, EngineOf(c), c.Name)
		}
		candidates = append(candidates, candidate)
	}
	slices.Sort(candidates)
	return nil, fmt.Errorf("%q matches several containers (use a longer ID, ENGINE/NAME, the object's name, --namespace or --engine): %s", name, strings.Join(candidates, ", "))
}

// notFoundError is the name of a container that does not exist.
type notFoundError string

func (e notFoundError) Error() string {
	return fmt.Sprintf("no container with name or ID %q found (see `rdd ps --all`)", string(e))
}

func (e notFoundError) Is(target error) bool { return target == errNotFound }
