// SPDX-License-Identifier: Apache-2.0

// Command rdd is the Rancher Desktop daemon and its command line.
package main

import (
	"context"
	"fmt"
	"os"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

func main() {
	var registry manager.Registry
	registry = append(registry, mirror.Controllers(openEngine)...)
	registry = append(registry, app.Controllers()...)
	os.Exit(cli.Main(context.Background(), cli.Config{Registry: registry}, os.Args))
}

// openEngine connects to an engine of any kind that is built in.
func openEngine(spec containersv1alpha1.ContainerEngineSpec) (engine.Engine, error) {
	if spec.Type == containersv1alpha1.EngineMoby {
		return moby.New(moby.Config{Endpoint: spec.Endpoint})
	}
	return nil, fmt.Errorf("this version of rdd can't connect to %s engines yet", spec.Type)
}
