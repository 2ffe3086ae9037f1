// SPDX-License-Identifier: Apache-2.0

// Package version returns the versions of RDD and Kubernetes in a program.
package version

import (
	"runtime/debug"
	"sync"

	baseversion "k8s.io/component-base/version"
)

// rdd is set by the linker (see the Makefile).
var rdd = "0.1.0-dev"

// RDD returns the version of RDD, without a leading v.
func RDD() string { return rdd }

// Kubernetes returns the version of the Kubernetes that is built in, with its
// leading v, as the build recorded it.
var Kubernetes = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "k8s.io/kubernetes" {
				return module.Version
			}
		}
	}
	return "v" + baseversion.DefaultKubeBinaryVersion + ".0" // a test: its build records nothing
})

// Mark is in the version that RDD's API server reports, and in no other's.
const Mark = "+rdd-"

// Full returns the version that the API server reports: that of Kubernetes,
// with RDD's as its build metadata.
func Full() string { return Kubernetes() + Mark + RDD() }
