// SPDX-License-Identifier: Apache-2.0

// Command notes-controller runs the controllers of the API group notes in a
// process of their own.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/examples/notes"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/standalone"
)

func main() {
	os.Exit(standalone.Main(context.Background(), notes.Controllers(), "notes", os.Args))
}
