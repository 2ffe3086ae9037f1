// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
)

// maxEvents bounds the number of Events that are read.
const maxEvents = 200

// deletions returns the deletions that an engine refuses or fails to carry out. It finds
// the objects by their Events instead of reading all objects, and then checks the
// objects' conditions.
func (r *Reader) deletions(ctx context.Context) ([]diagnostics.Deletion, error) {
	var found []diagnostics.Deletion
	looked := map[types.UID]bool{}
	for _, reason := range []string{containersv1alpha1.ReasonDeletionFailed, containersv1alpha1.ConditionDeletionRefused} {
		var events corev1.EventList
		if err := r.client.List(ctx, &events, ctrlclient.MatchingFields{"reason": reason}, ctrlclient.Limit(maxEvents)); err != nil {
			return nil, err
		}
		for i := range events.Items {
			about := &events.Items[i].InvolvedObject
			object, conditions, what := mirrorOf(about)
			if object == nil || looked[about.UID] {
				continue
			}
			looked[about.UID] = true
			err := r.client.Get(ctx, ctrlclient.ObjectKey{Namespace: about.Namespace, Name: about.Name}, object)
			if ctrlclient.IgnoreNotFound(err) != nil {
				return nil, err
			}
			if err != nil || object.GetUID() != about.UID {
				continue
			}
			if refused, words, ok := diagnostics.DeletionOf(object, *conditions); ok {
				found = append(found, diagnostics.Deletion{
					Subject: diagnostics.Subject{Kind: about.Kind, Namespace: about.Namespace, Name: about.Name},
					What:    what(), Refused: refused, Words: words,
				})
			}
		}
	}
	slices.SortFunc(found, func(a, b diagnostics.Deletion) int { return strings.Compare(a.Subject.String(), b.Subject.String()) })
	return found, nil
}

// mirrorOf returns an empty object of the kind that an Event is about, nil if it is not a
// mirror, with pointers to its conditions and a function that returns its display name.
func mirrorOf(about *corev1.ObjectReference) (object ctrlclient.Object, conditions *[]metav1.Condition, what func() string) {
	if !strings.HasPrefix(about.APIVersion, containersv1alpha1.GroupVersion.Group+"/") {
		return nil, nil, nil
	}
	switch about.Kind {
	case "Container":
		o := &containersv1alpha1.Container{}
		return o, &o.Status.Conditions, func() string { return "container " + o.Status.Name }
	case "Image":
		o := &containersv1alpha1.Image{}
		return o, &o.Status.Conditions, func() string {
			if o.Status.RepoTag != "" {
				return "image " + o.Status.RepoTag
			}
			return "image " + o.Status.ID
		}
	case "Volume":
		o := &containersv1alpha1.Volume{}
		return o, &o.Status.Conditions, func() string { return "volume " + o.Status.Name }
	case "Network":
		o := &containersv1alpha1.Network{}
		return o, &o.Status.Conditions, func() string { return "network " + o.Status.Name }
	case "ContainerNamespace":
		o := &containersv1alpha1.ContainerNamespace{}
		return o, &o.Status.Conditions, func() string { return "namespace " + o.Status.Name }
	}
	return nil, nil, nil
}
