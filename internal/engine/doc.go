// SPDX-License-Identifier: Apache-2.0

// Package engine defines what RDD needs of a container engine, whatever its type: the
// interface [Engine], the objects that go through it, and the registry of drivers.
//
// # The life of one object
//
// A user of a Docker engine runs "docker run --name web nginx".
//
//  1. The engine sends an event: type "container", action "start", and an ID. The driver
//     (moby/events.go) turns it into an [Event] with a [Key]: the kind of the object, its
//     namespace if the engine has several, and its ID. Nothing else of what the event
//     says is used: events can be lost, late, or repeated.
//  2. [Engine.Watch] passes the Event to the mirror, which queues the key. Ten events
//     about one object in the queue are one key.
//  3. The mirror calls [Engine.Inspect] with the key. The driver asks the engine for the
//     object (moby/inspect.go) and converts the answer into an [Object] (moby/convert.go):
//     the status that its mirror has in the API server. The same state is the same Object
//     every time: lists are sorted, and what changes by itself is left out.
//  4. The mirror compares the Object with what the API server has, and writes if it
//     differs. Without a difference, the event has cost one Inspect.
//  5. The user removes the container. The event has [Event.Gone], and Inspect returns
//     [ErrNotFound]. The mirror removes its object if both agree, or if a complete list
//     lacks the container.
//  6. A client deletes the mirror, or asks for an action. The mirror calls [Engine.Remove]
//     or [Engine.Act], and the event about that starts again at 1.
//
// [Engine.List] is the second way to a key. After it connects, and once per resync period,
// the mirror lists each kind and compares every [Item] with its mirror. It inspects only
// the objects for which [Item.Current] is false. A lost event is found there.
//
// # What a driver promises
//
//   - It does not lie about absence. ErrNotFound is the engine's own answer about this
//     object, never the result of a lost connection or an unreadable answer. Mirrors are
//     removed on that word.
//   - A list is complete, or an error. A [PartialError] says that entries are missing.
//   - An event that cannot be read is not dropped: it is an Event with [Event.Lost], with
//     the kind if that is known. The mirror logs it and lists the kind.
//   - Watch calls ready when no event can be missed from then on, and returns an error
//     when the stream ends. It does not reconnect: the mirror does, with the time of the
//     last event.
//   - [Info.ID] stays the same over restarts, and is never that of another engine.
//   - What the engine sends is bounded (package limits) and checked ([CheckKey], [CheckTag],
//     [Info.Check]): an engine may be hostile or broken.
//   - Every method returns when its context ends, and is safe for concurrent use. After
//     Close no goroutine, connection or process is left.
//   - Errors are of the kinds that callers distinguish: [ErrNotFound], [ErrRefused] (the
//     same request again does not help), [ErrFailed]. All others are tried again.
//
// Logs, processes in containers, pulls and certificates are interfaces of their own
// ([Logger], [Execer], [Puller], [Refresher]): a driver has those that its engine supports.
//
// # A new type of engine
//
// A [Driver] is the code for one type: [Open] and [Traits]. To add one, write a package
// beneath this one with a function Driver, and add it to the list in the package open. The
// API server then accepts the type, and its engines are mirrored: TestNewEngineType
// (test/mirror) does that with a driver of its own.
//
// Two files repeat the list, for readers who do not link the drivers, and tests name
// them if they differ from it: the enums in api/, for definitions that are applied with
// kubectl, and the package traits, for programs that connect to no engine. The latter
// decides whether Docker's clients can use the engine, where sockets are looked for, and
// what `rdd status` tells the user to do.
//
// Endpoints are parsed and built by the package endpoint alone.
package engine
