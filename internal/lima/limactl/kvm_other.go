// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package limactl

// Preflight returns why an instance can't be started. It checks something only on
// Linux.
func (c *Client) Preflight(Instance) error { return nil }
