// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"time"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30

	// A disk is nearly full below minFree, or below 5 % unless that is more than
	// muchFree.
	minFree  = gibibyte
	muchFree = 10 * gibibyte

	// storeLimit is a size of the store that is not normal. One with 1,200
	// mirrors and a day of changes has some tens of MiB.
	storeLimit = 256 * mebibyte

	// settlePatience is how long the App may take to settle before that is worth
	// a word. A virtual machine boots within it.
	settlePatience = 2 * time.Minute
)

// Observed is what is known. What is nil or empty is not known, and nothing
// follows from it.
type Observed struct {
	// Now is when it was observed.
	Now time.Time
	// Command is how the user calls rdd, as in "rdd --instance other".
	Command string
	// System is what the engines of this machine are started with.
	System System

	App     *appv1alpha1.App
	Engines []containersv1alpha1.ContainerEngine
	Host    *rddv1alpha1.HostInfoStatus
	// Deletions are those that an engine refused or fails to carry out.
	Deletions []Deletion
	// Denied is the endpoint of the engine of this machine that a start would take, if
	// none is chosen yet and the user may not use that one.
	Denied string
	// Groups are those whose members may use a socket, by its endpoint.
	Groups map[string]string

	Contexts *Contexts
	Disk     *Disk
	Store    *Store
	Daemon   *Daemon
	// Absent are the controllers that no process runs, though there are objects
	// that they keep.
	Absent []liveness.Absence
	// Unwritable is why nothing can be written to the store; empty if something can.
	Unwritable string
}

// Contexts are the contexts of Docker's client.
type Contexts struct {
	// Host is the endpoint of the context for the App's engine; empty where there is
	// no such context.
	Host string
	// Current is the name of the current context.
	Current string
	// Chosen is whether RDD made its own the current one.
	Chosen bool
}

// Disk is the file system with the instance's data.
type Disk struct {
	// Path is a directory on it.
	Path string
	// Free is what the user can still write, Total the whole, in bytes.
	Free, Total int64
	// ReadOnly is whether nothing can be written.
	ReadOnly bool
}

// NearlyFull reports whether there is little room, for the disk as it is and for
// what RDD still has to write.
func (d Disk) NearlyFull() bool {
	return d.Total > 0 && (d.Free < minFree || d.Free < min(d.Total/20, muchFree))
}

// Store is the file with the API server's objects.
type Store struct {
	Path string
	Size int64 // bytes
}

// Daemon is the process of the instance.
type Daemon struct {
	Instance string
	PID      int
	// Version is the daemon's, Program that of the program that asks.
	Version, Program string
	// Failure is why it did not answer; nil where it did.
	Failure error
	// Ended is why it ended by itself; empty if it lives, or was stopped.
	Ended string
}
