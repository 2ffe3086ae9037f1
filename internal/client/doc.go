// SPDX-License-Identifier: Apache-2.0

// Package client is what commands need of a running instance: clients of RDD's kinds,
// and a [Session] that reads and changes the App and LimaVMs and waits until that has
// come true. A connection that is lost during a wait, as the daemon is started again,
// is made again.
//
// A file uses those below it only: app*.go and vm*.go, wait.go, session.go, connect.go.
package client
