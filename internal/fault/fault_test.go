// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestExitCode(t *testing.T) {
	things := schema.GroupResource{Resource: "things"}
	plain := errors.New("plain")
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"nothing":                  {nil, ExitOK},
		"no kind":                  {plain, ExitFailed},
		"failed":                   {New(Failed, "do", "it", plain), ExitFailed},
		"usage":                    {New(Usage, "", "", plain), ExitUsage},
		"refused":                  {New(Refused, "", "", plain), ExitRefused},
		"deadline":                 {New(Deadline, "", "", plain), ExitDeadline},
		"version":                  {New(Version, "", "", plain), ExitVersion},
		"wrapped":                  {fmt.Errorf("more: %w", New(Usage, "", "", plain)), ExitUsage},
		"kind within a failure":    {New(Failed, "do", "", New(Version, "", "", plain)), ExitVersion},
		"invalid":                  {apierrors.NewInvalid(schema.GroupKind{Kind: "Thing"}, "x", nil), ExitRefused},
		"forbidden":                {fmt.Errorf("write: %w", apierrors.NewForbidden(things, "x", plain)), ExitRefused},
		"unknown field":            {apierrors.NewBadRequest("strict decoding error"), ExitRefused},
		"not found is no refusal":  {apierrors.NewNotFound(things, "x"), ExitFailed},
		"a context's deadline":     {fmt.Errorf("wait: %w", context.DeadlineExceeded), ExitDeadline},
		"cancelled is no deadline": {context.Canceled, ExitFailed},
		"refusal within a failure": {New(Failed, "set", "", apierrors.NewForbidden(things, "x", plain)), ExitRefused},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ExitCode(test.err); got != test.want {
				t.Errorf("ExitCode(%v) = %d, want %d", test.err, got, test.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	reason := errors.New("no such file")
	for want, err := range map[string]*Error{
		"read /x: no such file": New(Failed, "read", "/x", reason),
		"read: no such file":    New(Failed, "read", "", reason),
		"no such file":          New(Usage, "", "", reason),
		"read /x":               New(Usage, "read", "/x", nil),
	} {
		if got := err.Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
}
