// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// setAge sets AgeFrom in want if the object was created in the future: to its value
// in have, which may be nil, or to now. Tables would show a negative age as
// <invalid>.
func setAge(want, have client.Object, now time.Time) {
	created, from := kinds[kindOf(want)].status.ages(want)
	if created == nil || *created == nil || !(*created).After(now) {
		return
	}
	if have != nil {
		if _, before := kinds[kindOf(have)].status.ages(have); before != nil && *before != nil {
			*from = *before
			return
		}
	}
	*from = &metav1.Time{Time: now.Truncate(time.Second)}
}
