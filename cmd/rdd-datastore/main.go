// SPDX-License-Identifier: Apache-2.0

// Command rdd-datastore connects a daemon to a database: it serves etcd's protocol on a
// socket, with kine's drivers. It is a separate program because few users need them.
package main

import (
	"context"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore/proxy"
)

func main() { os.Exit(proxy.Main(context.Background(), os.Stdin, os.Stderr)) }
