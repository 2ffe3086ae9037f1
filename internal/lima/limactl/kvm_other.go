// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package limactl

// Preflight says what keeps an instance from being started. There is nothing to
// look at but on Linux.
func (c *Client) Preflight(Instance) error { return nil }
