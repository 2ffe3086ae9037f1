// SPDX-License-Identifier: Apache-2.0

// Command lima-controller runs the controllers of the API group lima in a
// process of their own.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/standalone"
)

func main() {
	os.Exit(standalone.Main(context.Background(), lima.Controllers(), "lima", os.Args))
}
