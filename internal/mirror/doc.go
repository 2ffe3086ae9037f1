// SPDX-License-Identifier: Apache-2.0

// Package mirror keeps Kubernetes objects equal to what is in container engines:
// Container, Image, Volume, Network and ContainerNamespace objects for each
// ContainerEngine.
//
// # Parts
//
// The reconciler (controller.go, lifecycle.go) starts and stops one [Session] for
// each ContainerEngine, and writes the session's [State] into the ContainerEngine.
// It does not wait for an engine. A session consists of three parts:
//
//   - connection: the engine, its identity, its clock, and the removals that it
//     reported. Nothing is removed from the API server unless the connection proves
//     that the engine is the known one.
//   - syncer: the queues, the workers, the table of known mirrors, and the
//     comparison of all mirrors with the engine's lists.
//   - actor: what objects ask for: actions on containers, and the removal of what a
//     deleted mirror stands for.
//
// All three share the table, which holds the newest version of each mirror, the
// writer, through which every write goes, and the problems, which notices reports
// in conditions and Events.
//
// # The life of one event
//
// A user runs "docker stop web".
//
//  1. The engine sends an event. The driver (engine/moby) turns it into an
//     [engine.Event], which only names the container, and calls syncer.event
//     (worker.go). What the event says happened is not used: events can be lost,
//     late or repeated.
//  2. The pacer decides how long the key waits, so that a container which restarts
//     ten times a second is not inspected ten times. The key enters the queue of its
//     kind (queues.go).
//  3. A worker takes the key (worker.go) and calls syncer.sync (sync.go), which
//     inspects the container in the engine. If the answer takes longer than 200 ms,
//     patience starts another worker in the place of this one.
//  4. The entry of the table of kinds (kinds.go) makes the wanted mirrors from the
//     answer (objects.go), and bound limits their size (bounds.go).
//  5. syncer.write compares them with the table, and the writer (writer.go) writes
//     what differs. With no difference there is no write.
//  6. The watch of the API server returns the write (watch.go). The table has it
//     already, by its resource version, so that nothing follows.
//
// A write by another client arrives in step 6 with a version that is not ours: the
// key is queued, and steps 3 to 5 restore the mirror, or the actor does what the
// write asks for.
//
// # A new kind
//
// A new kind of mirror is an entry of kinds, the type in api/containers, a field of
// [engine.Object] with the code of the drivers that fills it, and a controller in
// controllers.go that installs its definition.
package mirror
