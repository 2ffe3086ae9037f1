// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestPatiently: what came too early is done again, and nothing else is.
func TestPatiently(t *testing.T) {
	early := fmt.Errorf("make the role edit: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "clusterroles"}, "edit",
		errors.New("not yet ready to handle request")))
	late := apierrors.NewTimeoutError("http: Handler timeout", 0)
	full := errors.New("database or disk is full")
	for name, test := range map[string]struct {
		errs  []error
		calls int
		want  error
	}{
		"at once":    {[]error{nil}, 1, nil},
		"too early":  {[]error{early, late, nil}, 3, nil},
		"impossible": {[]error{early, full, nil}, 2, full},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			err := patiently(t.Context(), func(context.Context) error {
				calls++
				return test.errs[calls-1]
			})
			if !errors.Is(err, test.want) || calls != test.calls {
				t.Errorf("%d calls, %v; want %d, %v", calls, err, test.calls, test.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := patiently(ctx, func(context.Context) error { cancel(); return early })
	if !apierrors.IsForbidden(err) {
		t.Errorf("cut off: %v, want the last error", err)
	}
}
