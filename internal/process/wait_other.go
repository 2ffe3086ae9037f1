// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import "context"

// Wait returns nil within a second after the process has ended, and ctx's error if that
// ends first.
func (id ID) Wait(ctx context.Context) error { return id.poll(ctx) }
