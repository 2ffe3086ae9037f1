// SPDX-License-Identifier: Apache-2.0

// Package manager runs controllers: it selects them from a registry, installs their
// definitions in the API server, runs each controller in one process at a time, and
// publishes where it runs.
//
// # Parts
//
// A [Controller] (controller.go) is the unit that a user selects with --controllers
// (selection.go): one kind with its reconciler, its definitions, its admission. The
// list of a program is a [Registry]. A [Manager] (manager.go) runs a selection
// against one API server, on top of one manager of controller-runtime, whose caches
// and clients all of them share. For each controller it has three things:
//
//   - unit: starts and ends the controller. Its scope is the manager that the
//     controller sees; it collects the runnables that Setup adds, so that they end
//     with their controller and not with the process.
//   - lease (lease.go): a Lease in rdd-system. At each time one process runs a
//     controller. The daemon's leases last an hour and are renewed rarely, as it is
//     there whenever its API server is; those of other processes last 15 s.
//   - visitors (visitors.go): the requests at the controller's endpoints below
//     /passthrough/. They end with it, even if no server does.
//
// [Discovery] (discovery.go) is the ConfigMap that tells clients which process runs
// what, and at which address.
//
// # Beneath
//
//   - standalone runs a manager in a process of its own, and serves its admission,
//     endpoints and metrics on a port. The daemon needs none of that: its API server
//     calls the hooks of its controllers as functions.
//   - webhook registers and serves admission for API servers in other processes.
//   - background has work outside of Reconcile, and what wakes a controller.
//   - secret reads and watches one Secret, finalizer has RDD's two finalizers,
//     passthrough routes requests to endpoints, liveness marks conditions of
//     controllers that no process runs.
//
// # The life of one controller
//
// A daemon runs the controller engine, and is stopped; a containers-controller takes
// over.
//
//  1. [Registry.Select] chooses engine, and fails if it depends on one that is not
//     chosen. [Bind] returns it as it is in the instance.
//  2. [Manager.Install] brings its definitions to the API server, and returns when
//     the kinds are served. [Manager.Setup] makes the caches, the clients and one
//     unit for each controller, and releases leases that this holder had for
//     controllers which it does not run now.
//  3. [Manager.Run] starts each unit (unit.go), in the order of the registry. The unit
//     acquires the lease. If another process holds it, the unit waits, and
//     [Manager.Waiting] has the holder.
//  4. With the lease, Config.Before registers its webhooks (in the daemon: removes
//     those of a process before it). Setup adds the controller to its scope.
//  5. The scope starts what Setup added. [Manager.Running] has engine, Changed gives a
//     value, and the entry in the discovery is written. From here on its Reconcile is
//     called. The lease is renewed beside it.
//  6. The daemon gets the signal to stop. Run ends the units in the reverse order, each before
//     the one that started before it, under one budget: the requests at the endpoints
//     end, then the runnables of the scope, then Config.After and the lease.
//  7. The same happens to one unit alone if its lease is lost: another process took
//     it, or it could not be renewed in time. Then Run ends with that error, as two
//     processes must not act on one engine.
//  8. containers-controller, which waited in step 3, sees the lease free or expired,
//     and continues with step 4. Until then liveness has marked the conditions that
//     engine claims ([Claim]) Unknown, with the reason ControllerGone.
//
// # A new controller
//
// A new controller is a [Controller] in the list of its group, with its definitions
// and a Setup; docs/controllers.md has the steps. [PatchStatus] writes its status,
// [Patient] decorates its reconciler, and [NewQueue] makes its queue.
package manager
