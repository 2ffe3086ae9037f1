// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps the work queues of Kubernetes' own controllers from waking
// a daemon that has nothing to do.
//
// A named queue of client-go looks twice a second how long work has been under
// way, for two metrics. It has no option against that but a provider of metrics
// that is client-go's own, and the API server's controllers and the garbage
// collector offer no choice of one. client-go begins with that provider, and
// takes another one once. To import this package is to have that once pass:
// queues that name no provider are not measured, and do not tick. Where a newer
// client-go has no such variable they are as they would be without this package.
package quiet

import (
	"sync"
	_ "unsafe" // for the name of a variable

	_ "k8s.io/client-go/util/workqueue" // has the variable
)

// once guards the provider of queues that name none.
//
//go:linkname once k8s.io/client-go/util/workqueue.setGlobalMetricsProviderOnce
var once sync.Once

// Packages are initialised in the order of their paths as far as their imports
// allow it (https://go.dev/ref/spec#Package_initialization), so this comes
// before what sets a provider: k8s.io/component-base and controller-runtime.
var _ = pass()

func pass() bool {
	once.Do(func() {})
	return true
}
