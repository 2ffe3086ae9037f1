// SPDX-License-Identifier: Apache-2.0

// Command containers-controller runs the controllers of the API group containers
// in a process of their own.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/standalone"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

func main() {
	registry := mirror.Controllers(open.Drivers())
	os.Exit(standalone.Main(context.Background(), registry, "containers", os.Args))
}
