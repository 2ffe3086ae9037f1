// SPDX-License-Identifier: Apache-2.0

// Command manpages is `make man`: it writes a man page for each command of rdd
// into a directory.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra/doc"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manpages DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write writes the pages, dated SOURCE_DATE_EPOCH if that is set.
func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Controllers matter to hidden flags only.
	root := cli.Commands(cli.Config{})
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{
		Section: "1", Source: "RDD " + version.RDD(), Manual: "Rancher Desktop daemon",
	}, dir)
}
