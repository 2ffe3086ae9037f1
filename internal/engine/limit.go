// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"time"
)

// Limit returns a context for a call that is bounded by the deadline of ctx or, if
// ctx has none, by limit.
func Limit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if _, set := ctx.Deadline(); set {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
