// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// endSignals ask the daemon to end.
var endSignals = []os.Signal{unix.SIGINT, unix.SIGTERM}

func (e *env) addPlatformCommands(*cobra.Command) {}
