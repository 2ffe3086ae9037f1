// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import "github.com/spf13/cobra"

func (e *env) addPlatformCommands(*cobra.Command) {}
