// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// setAge notes what the age of a mirror is counted from if it was made in the future:
// now, or what have, which may be nil, says already. Tables show an age that is
// negative as <invalid>.
func setAge(want, have client.Object, now time.Time) {
	created, from := ages(want)
	if created == nil || *created == nil || !(*created).After(now) {
		return
	}
	if have != nil {
		if _, before := ages(have); before != nil && *before != nil {
			*from = *before
			return
		}
	}
	*from = &metav1.Time{Time: now.Truncate(time.Second)}
}

// ages returns where a mirror says when it was made, and what its age is counted from
// instead; nil for a kind that says neither.
func ages(obj client.Object) (created, from **metav1.Time) {
	switch o := obj.(type) {
	case *containersv1alpha1.Container:
		return &o.Status.CreatedAt, &o.Status.AgeFrom
	case *containersv1alpha1.Image:
		return &o.Status.CreatedAt, &o.Status.AgeFrom
	case *containersv1alpha1.Volume:
		return &o.Status.CreatedAt, &o.Status.AgeFrom
	}
	return nil, nil
}
