// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps the work queues of Kubernetes' own controllers from waking
// a daemon that has nothing to do.
//
// A named queue of client-go measures twice a second how long work has been in
// progress, for two metrics. Only client-go's own metrics provider, its default,
// disables that, and the API server's controllers and the garbage collector do
// not let the caller choose one. client-go's default provider can be replaced
// once. An import of this package uses that once up: queues without a provider
// are not measured, and do not tick. If a newer client-go has no such variable,
// this package has no effect.
package quiet

import (
	"sync"
	_ "unsafe" // for the name of a variable

	_ "k8s.io/client-go/util/workqueue" // has the variable
)

// once guards the default provider.
//
//go:linkname once k8s.io/client-go/util/workqueue.setGlobalMetricsProviderOnce
var once sync.Once

// Packages are initialised in the order of their paths as far as their imports
// allow it (https://go.dev/ref/spec#Package_initialization), so this one comes before
// the packages that set a provider: k8s.io/component-base and controller-runtime.
var _ = pass()

func pass() bool {
	once.Do(func() {})
	return true
}
