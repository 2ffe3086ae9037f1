// SPDX-License-Identifier: Apache-2.0

// Command app-controller runs the controllers of the API group app in a process
// of their own.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/demo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/standalone"
)

func main() {
	registry := append(app.Controllers(), demo.Controllers()...)
	os.Exit(standalone.Main(context.Background(), registry, "app", os.Args))
}
