// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import "context"

// Wait returns nil when the process has ended, within a second, and ctx's error
// where that ends first.
func (id ID) Wait(ctx context.Context) error { return id.poll(ctx) }
