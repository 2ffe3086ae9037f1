// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	// namedUsers is how many users of an object a refusal names.
	namedUsers = 5

	// provedUsers is how many users are read from the API server to confirm that one
	// exists: a session may be a moment behind it.
	provedUsers = 20
)

// gate refuses the deletion of mirrors whose removal the engine would refuse because
// the object is in use. It reads the users from the sessions of this process, or, if
// the engine's controller runs elsewhere, from the API server.
type gate struct {
	drivers  engine.Drivers
	sessions atomic.Pointer[reconciler] // nil until the engine's controller runs here
}

func (g *gate) hooks() []admission.Hook {
	version := containersv1alpha1.GroupVersion
	return []admission.Hook{
		admission.NewDeletionHook(version.WithResource("volumes"),
			func() *containersv1alpha1.Volume { return &containersv1alpha1.Volume{} },
			func(ctx context.Context, reader client.Reader, v *containersv1alpha1.Volume) (string, error) {
				return g.refusal(ctx, reader, v, "volume "+printable.Text(v.Status.Name, maxName))
			}),
		admission.NewDeletionHook(version.WithResource("images"),
			func() *containersv1alpha1.Image { return &containersv1alpha1.Image{} },
			func(ctx context.Context, reader client.Reader, i *containersv1alpha1.Image) (string, error) {
				what := "image " + printable.Text(i.Status.ID, maxName)
				if i.Status.RepoTag != "" {
					what = "image " + printable.Text(i.Status.RepoTag, maxName)
				}
				return g.refusal(ctx, reader, i, what)
			}),
		admission.NewDeletionHook(version.WithResource("networks"),
			func() *containersv1alpha1.Network { return &containersv1alpha1.Network{} },
			func(ctx context.Context, reader client.Reader, n *containersv1alpha1.Network) (string, error) {
				return g.refusal(ctx, reader, n, "network "+printable.Text(n.Status.Name, maxName))
			}),
		admission.NewDeletionHook(version.WithResource("containernamespaces"),
			func() *containersv1alpha1.ContainerNamespace { return &containersv1alpha1.ContainerNamespace{} },
			func(ctx context.Context, reader client.Reader, n *containersv1alpha1.ContainerNamespace) (string, error) {
				return g.refusal(ctx, reader, n, "namespace "+printable.Text(n.Status.Name, maxName))
			}),
	}
}

// refusal returns why a mirror may not be deleted; empty if it may.
func (g *gate) refusal(ctx context.Context, reader client.Reader, m client.Object, what string) (string, error) {
	name := m.GetLabels()[containersv1alpha1.EngineLabel]
	if name == "" || !controllerutil.ContainsFinalizer(m, containersv1alpha1.MirrorFinalizer) ||
		m.GetAnnotations()[containersv1alpha1.ForceAnnotation] == "true" {
		return "", nil
	}
	known := g.known(m)
	if known != nil && kindOf(m) != engine.KindNetwork && !known.inUse(m) {
		return "", nil // the most frequent case, without a read from the API server
	}
	var kind containersv1alpha1.EngineType
	var os string
	counts, err := deletionCounts(ctx, reader, m.GetNamespace(), name, func(e *containersv1alpha1.ContainerEngine) bool {
		kind, os = e.Spec.Type, e.Status.OS
		return slices.ContainsFunc(m.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == e.UID })
	})
	if err != nil || !counts || !slices.Contains(g.drivers.Of(kind).KeepsUsed, kindOf(m)) {
		return "", err
	}
	if predefined(m, os) {
		return what + " is predefined: the engine does not remove it", nil
	}
	if known == nil {
		if known, err = listKnown(ctx, reader, m.GetNamespace(), name); err != nil {
			return "", err
		}
	}
	if !known.inUse(m) {
		return "", nil
	}
	users, more, err := prove(ctx, reader, m, known.users(usedAs(m)))
	if err != nil || len(users) == 0 {
		return "", err
	}
	return refusalText(m, what, users, more), nil
}

// known returns the table of the session that a mirror belongs to, nil for none.
func (g *gate) known(m client.Object) *table {
	r := g.sessions.Load()
	if r == nil {
		return nil
	}
	for _, s := range r.running() {
		if s.owner.owns(m) {
			return s.table
		}
	}
	return nil
}

// listKnown returns a table of the mirrors that use others, from the API server.
func listKnown(ctx context.Context, reader client.Reader, namespace, name string) (*table, error) {
	t := newTable()
	for _, kind := range kinds {
		if kind.uses == nil {
			continue
		}
		list := kind.list()
		if err := reader.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{containersv1alpha1.EngineLabel: name}); err != nil {
			return nil, err
		}
		if err := apimeta.EachListItem(list, func(m runtime.Object) error {
			t.watched(m.(client.Object))
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// inUse reports whether the engine would refuse to remove a mirror's object. An image
// with several names only loses one.
func (t *table) inUse(m client.Object) bool {
	if len(t.users(usedAs(m))) == 0 {
		return false
	}
	image, ok := m.(*containersv1alpha1.Image)
	if !ok || image.Status.RepoTag == "" {
		return true
	}
	for _, other := range t.of(keyOf(m)) {
		if tag := tagOf(other); tag != "" && tag != image.Status.RepoTag && other.GetDeletionTimestamp() == nil {
			return false
		}
	}
	repository := image.Status.RepoTag
	if i := strings.LastIndexByte(repository, ':'); i > strings.LastIndexByte(repository, '/') {
		repository = repository[:i]
	}
	return !slices.ContainsFunc(image.Status.RepoDigests, func(digest string) bool {
		of, _, _ := strings.Cut(digest, "@")
		return of != repository
	})
}

// prove returns some of the users that exist in the API server, and how many more
// there may be.
func prove(ctx context.Context, reader client.Reader, m client.Object, users []client.Object) (proved []client.Object, more int, err error) {
	slices.SortFunc(users, func(a, b client.Object) int { return strings.Compare(userName(a), userName(b)) })
	for i, user := range users {
		if len(proved) == namedUsers || i == provedUsers {
			return proved, len(users) - i, nil
		}
		now := kinds[kindOf(user)].object()
		switch err := reader.Get(ctx, client.ObjectKeyFromObject(user), now); {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, 0, err
		case slices.Contains(usesOf(now), usedAs(m)):
			proved = append(proved, now)
		}
	}
	return proved, 0, nil
}

// userName returns the name or the ID of a container or an image.
func userName(m client.Object) string {
	return printable.Text(cmp.Or(titleOf(m), keyOf(m).ID), maxName)
}

func refusalText(m client.Object, what string, users []client.Object, more int) string {
	var parts []string
	for _, kind := range slices.Backward(engine.Kinds) {
		var names []string
		for _, user := range users {
			if kindOf(user) != kind {
				continue
			}
			name := userName(user)
			if user.GetDeletionTimestamp() != nil {
				name += " (being removed)"
			}
			names = append(names, name)
		}
		switch len(names) {
		case 0:
		case 1:
			parts = append(parts, string(kind)+" "+names[0])
		default:
			parts = append(parts, string(kind)+"s "+strings.Join(names, ", "))
		}
	}
	list := strings.Join(parts, " and ")
	if more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	them, pronoun := "them", "them"
	if len(users)+more == 1 {
		pronoun = "it"
		them = "that " + string(kindOf(users[0]))
	}
	if kindOf(m) == engine.KindNamespace {
		return fmt.Sprintf("%s is not empty: it has %s: remove %s first", what, list, them)
	}
	if kindOf(m) == engine.KindNetwork { // no engine removes one by force
		return fmt.Sprintf("%s is used by %s: stop %s or disconnect %s from the network first", what, list, them, pronoun)
	}
	return fmt.Sprintf("%s is used by %s: remove %s first, or annotate the %s with %s=true and delete it again, "+
		"which forces the removal in the engine", what, list, them, kindOf(m), containersv1alpha1.ForceAnnotation)
}
