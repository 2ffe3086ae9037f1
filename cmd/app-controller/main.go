// SPDX-License-Identifier: Apache-2.0

// Command app-controller runs the controllers of the API group app in a process
// of their own.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/standalone"
)

func main() {
	os.Exit(standalone.Main(context.Background(), app.Controllers(), "app", os.Args))
}
