// SPDX-License-Identifier: Apache-2.0

// Command linked is the program of the group app that has the controllers of
// another group in it, too.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/demo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/standalone"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

func main() {
	registry := append(mirror.Controllers(open.Drivers()), app.Controllers()...)
	registry = append(registry, demo.Controllers()...)
	os.Exit(standalone.Main(context.Background(), registry, "app", os.Args))
}
