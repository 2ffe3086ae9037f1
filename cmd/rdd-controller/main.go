// SPDX-License-Identifier: Apache-2.0

// Command rdd-controller runs the controllers of the API group rdd in a process
// of their own.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/hostinfo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/standalone"
)

func main() {
	os.Exit(standalone.Main(context.Background(), hostinfo.Controllers(), "rdd", os.Args))
}
