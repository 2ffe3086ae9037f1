// SPDX-License-Identifier: Apache-2.0

// Command oldkubectl is a kubectl of another version than the one in rdd, for
// the tests where the machine has none. It is a module of its own, as its
// libraries are older.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
