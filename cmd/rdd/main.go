// SPDX-License-Identifier: Apache-2.0

// Command rdd is the Rancher Desktop daemon and its command line.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/demo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/hostinfo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

func main() {
	var registry manager.Registry
	registry = append(registry, mirror.Controllers(open.Drivers())...)
	registry = append(registry, app.Controllers()...)
	registry = append(registry, demo.Controllers()...)
	registry = append(registry, lima.Controllers()...)
	registry = append(registry, hostinfo.Controllers()...)
	os.Exit(cli.Main(context.Background(), cli.Config{Registry: registry}, os.Args))
}
