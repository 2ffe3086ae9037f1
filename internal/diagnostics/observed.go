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

	// storeLimit is the size from which a store is large. With 1,200 mirrors and a
	// day of changes it has some tens of MiB.
	storeLimit = 256 * mebibyte

	// settlePatience is how long the App may take to settle before there is a
	// finding. A virtual machine boots within it.
	settlePatience = 2 * time.Minute
)

// Observed is the observed state. A nil or empty field is not known, and causes no
// finding.
type Observed struct {
	// Now is the time of the observation.
	Now time.Time
	// Command is the command line of rdd for the instance, as in "rdd --instance other".
	Command string
	// System is the init system that starts the engines of this machine.
	System System

	App     *appv1alpha1.App
	Engines []containersv1alpha1.ContainerEngine
	Host    *rddv1alpha1.HostInfoStatus
	// Deletions are the deletions that an engine refused or fails to carry out.
	Deletions []Deletion
	// Denied is the endpoint of the engine of this machine that `rdd start` would
	// choose, if none is chosen yet and the user has no permission for it.
	Denied string
	// Groups has the group whose members may use a socket, by its endpoint.
	Groups map[string]string

	Contexts *Contexts
	Disk     *Disk
	Store    *Store
	Daemon   *Daemon
	// Absent are the controllers that do not run although they have objects.
	Absent []liveness.Absence
	// Unwritable is the error of a write to the store; empty if writes succeed.
	Unwritable string
}

// Contexts is the state of the Docker contexts.
type Contexts struct {
	// Host is the endpoint of the context for the App's engine; empty if there is
	// no such context.
	Host string
	// Current is the name of the current context.
	Current string
	// Chosen is whether RDD made its context the current one.
	Chosen bool
}

// Disk is the file system with the instance's data.
type Disk struct {
	// Path is a directory on it.
	Path string
	// Free is the space that the user can still write, Total all of it, in bytes.
	Free, Total int64
	// ReadOnly is whether the file system is read-only.
	ReadOnly bool
}

// NearlyFull reports whether there is little free space, for the size of the disk
// and for the writes of RDD.
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
	// Version is the version of the daemon, Program the version of this program.
	Version, Program string
	// Failure is why the daemon did not answer; nil if it did.
	Failure error
	// Ended is why it ended by itself; empty if it lives, or was stopped.
	Ended string
}
