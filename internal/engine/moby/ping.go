// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"

	"github.com/moby/moby/client"
)

// Ping asks the engine whether it is there, and for nothing of what it has.
func (e *Engine) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := e.api().Ping(ctx, client.PingOptions{})
	return translate(err)
}
