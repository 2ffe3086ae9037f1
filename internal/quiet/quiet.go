// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps the work queues of Kubernetes' own controllers from waking
// a daemon that has nothing to do.
//
// A named queue of client-go looks twice a second how long work has been under
// way, for two metrics. It has no option against that but a provider of metrics
// that is client-go's own, and the API server's controllers, the garbage
// collector and controller-runtime offer no choice of one. It is a variable of
// client-go's that is set here; where a newer client-go has no such variable,
// the queues are as they would be without this package.
package quiet

import (
	"sync"
	_ "unsafe" // for the name of a variable

	"k8s.io/client-go/util/workqueue"
)

// global is what measures queues that name nothing else.
//
//go:linkname global k8s.io/client-go/util/workqueue.globalMetricsProvider
var global workqueue.MetricsProvider

// none is what client-go begins with: it measures nothing, and queues know it.
// Packages are initialised in the order of their paths as far as their imports
// allow it, so this one comes before those that set another provider.
var none = global

// Queues has no queue measured that is made from now on and names no provider.
var Queues = sync.OnceFunc(func() { global = none })
