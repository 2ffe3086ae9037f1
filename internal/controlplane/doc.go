// SPDX-License-Identifier: Apache-2.0

// Package controlplane is Kubernetes' API server as a library, reduced to the needs of
// a developer's machine: custom resources, and the few built-in kinds that controllers
// and their clients need. It stores its objects in a [Store], and serves clients in the
// process without a socket.
//
// There is no kubelet, no scheduler and no aggregation of other API servers.
//
// # Parts
//
// [New] composes the server, [Server.Run] serves. The composition is the chain
// (chain.go), in steps that each use what the steps before made:
//
//   - seed (seed.go) puts RDD's definitions into the store before anything reads it.
//   - clients (loopback.go): requests of this process are function calls of the
//     server's handler, without a socket, as the user of the loopback token.
//   - informers (informers.go): the few kinds that admission and authorization read.
//     A request for another one fails the composition (refused.go).
//   - authentication and authorization (auth.go): client certificates, tokens of
//     service accounts, RBAC.
//   - admission (admission.go): Kubernetes' plug-ins that make sense here, CEL
//     policies, webhooks, and RDD's own hooks, which are functions (hooked.go).
//   - two servers: custom serves definitions and the kinds that they define, and
//     front serves everything else and passes the rest on to custom (registries.go has
//     the built-in kinds).
//
// hooks.go has what runs beside the servers, so that the two look like one: complete
// discovery and OpenAPI documents. atrest.go has what keeps the server from waking
// when nothing happens.
//
// # Beneath
//
//   - store keeps objects in SQLite, through kine; datastore keeps them in an etcd or
//     a database, through a process of its own.
//   - pki has the authority, the certificates and the keys of tokens; they are renewed
//     while the server runs (serving.go).
//   - manifest installs definitions and policies; admission has what code decides about
//     writes; openapi has the schemas of built-in kinds.
//   - housekeeping deletes what is in deleted namespaces, and what has no owner left.
//   - connlimit bounds connections without authentication, before anything else is
//     done for them.
//
// # The life of one object
//
// A user runs "rdd ctl apply -f volume.yaml", and deletes the Volume later.
//
//  1. The listener accepts the connection (connlimit) and TLS begins; serving.go has
//     the current certificate. The drain (hooks.go) refuses writes once a shutdown has
//     begun. A client that is not authenticated gets as far as health (strangers.go).
//  2. The front server authenticates and authorizes the request. It does not serve
//     Volumes, so custom does.
//  3. Defaults of the definition's schema, then mutating admission: policies, webhooks,
//     and the Default hooks of the kind's controller (hooked.go). If that controller
//     runs in another process, the API server calls its webhook.
//  4. Validation by the schema and its CEL rules, then validating admission in the same
//     order. A refusal is an error with the field and the reason, and nothing is stored.
//  5. Kubernetes' registry encodes the object and calls the storage (storage.go). The
//     etcd client in it is a struct of functions: its transaction is a call of kine,
//     and a row in SQLite, whose number becomes the resource version.
//  6. The store passes the row to its watch, which the watch cache of the kind reads.
//     The cache passes it to each watch of a client: the mirror's informer, and the
//     user's "rdd ctl get volumes --watch". No poll is between the write and these.
//  7. A deletion passes steps 1 to 5 with the Delete hooks. The mirror's finalizer is
//     on the object, so that it only gets a deletion timestamp. The mirror removes the
//     volume from the engine and takes the finalizer away; that write removes the row,
//     and the watches get the end of the object.
//  8. After five minutes the store compacts: older versions go, and a watch that
//     continues from one of them must list again.
//
// # Start and stop
//
// Between [New] and the first answer nothing may write what depends on hooks: until
// [Server.StartHooks] has a reader for them, writes of hooked kinds are refused with
// 503, and a path that no server knows is 503 as well until all definitions are read,
// so that a client does not take a start for an absence. [Server.Drain] begins the end:
// writes from outside are refused, controllers still write, and then the context of
// Run ends.
package controlplane
