// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestBreakEndsAQuestion: an engine that does not answer hides no broken
// connection.
func TestBreakEndsAQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := make(chan error, 1)
		why := errors.New("the stream ended")
		ended := make(chan error, 1)
		go func() {
			ended <- unless(t.Context(), broken, func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		synctest.Wait()
		broken <- why
		if err := <-ended; !errors.Is(err, why) {
			t.Errorf("it ended with %v, want %v", err, why)
		}
	})
	other := errors.New("another engine")
	if err := unless(t.Context(), make(chan error), func(context.Context) error { return other }); !errors.Is(err, other) {
		t.Errorf("it ended with %v, want %v", err, other)
	}
}
