// SPDX-License-Identifier: Apache-2.0

// Package client provides what commands need of a running instance: clients for RDD's
// kinds, and a [Session] that reads and changes the App and LimaVMs and waits for the
// result. A wait reconnects when the connection is lost, for example because the daemon
// restarts.
//
// A file uses those below it only: app*.go and vm*.go, wait.go, session.go, connect.go.
package client
