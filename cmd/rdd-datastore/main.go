// SPDX-License-Identifier: Apache-2.0

// Command rdd-datastore is the way of a daemon to a database: it speaks etcd's
// protocol on a socket and has kine's drivers, which few need and rdd is spared of.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore/proxy"
)

func main() { os.Exit(proxy.Main(context.Background(), os.Stdin, os.Stderr)) }
