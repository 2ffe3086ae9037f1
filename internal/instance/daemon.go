// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

const (
	lockPoll = 5 * time.Millisecond

	// daemonLockPatience is how long a daemon tries to get its lock: readers that test
	// the lock hold it for a moment.
	daemonLockPatience = time.Second
)

// ErrRunning is the error if another daemon of the instance is running.
var ErrRunning = errors.New("the daemon is already running")

// Daemon describes a daemon. The daemon writes it.
type Daemon struct {
	PID int `json:"pid"`
	// Birth distinguishes the process from a later one with the same PID.
	Birth       string    `json:"birth"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Address     string    `json:"address,omitempty"` // host:port of the API server, once bound
	Controllers string    `json:"controllers"`
	Waiting     string    `json:"waiting,omitempty"` // the gate that start-up waits for
	Ready       bool      `json:"ready"`
	Stopping    bool      `json:"stopping,omitempty"`
	// Failure is why it ended; nil while it runs, and if it was stopped.
	Failure *Failure `json:"failure,omitempty"`
}

// isProcess reports whether the process that d describes is running.
func (d *Daemon) isProcess() bool {
	birth, err := process.Birth(d.PID)
	return err == nil && birth == d.Birth
}

// Lock is a lock that the operating system releases when its process ends.
type Lock struct{ file *flock.Flock }

// Unlock releases the lock.
func (l *Lock) Unlock() { _ = l.file.Unlock() }

// LockDaemon acquires the lock that a daemon holds while it is running. If another
// daemon holds it, the error is [ErrRunning].
func (i *Instance) LockDaemon(ctx context.Context) (*Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, daemonLockPatience)
	defer cancel()
	lock, err := acquire(ctx, i.lockFile())
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, ErrRunning
	}
	if err != nil {
		return nil, err
	}
	// An earlier daemon's state is not this one's.
	if err := os.Remove(i.stateFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		lock.Unlock()
		return nil, err
	}
	return lock, nil
}

// LockStart serializes commands that create, start and remove the instance. It waits
// until ctx ends. The instance's directory must exist.
func (i *Instance) LockStart(ctx context.Context) (*Lock, error) {
	return acquire(ctx, i.startLock())
}

// acquire locks the file at path, and checks that path is still that file: a holder may
// have removed the whole directory.
func acquire(ctx context.Context, path string) (*Lock, error) {
	for {
		file := flock.New(path, flock.SetPermissions(fileMode))
		locked, err := file.TryLock() // at least once, even if ctx has ended
		if err == nil && !locked {
			_, err = file.TryLockContext(ctx, lockPoll)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("another rdd command holds the lock: %w", err)
		}
		if err != nil {
			return nil, fault.New(fault.KindOf(err), "lock", path, err)
		}
		held, heldErr := file.Stat()
		named, namedErr := os.Stat(path)
		if heldErr == nil && namedErr == nil && os.SameFile(held, named) {
			return &Lock{file}, nil
		}
		_ = file.Unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if namedErr != nil && !errors.Is(namedErr, fs.ErrNotExist) {
			return nil, namedErr
		}
	}
}

// Alive reports whether a daemon holds its lock.
func (i *Instance) Alive() (bool, error) {
	if _, err := os.Stat(i.lockFile()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	file := flock.New(i.lockFile(), flock.SetPermissions(fileMode), flock.SetFlag(os.O_RDONLY)) // the disk may be read-only
	free, err := file.TryRLock()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // removed in between
		}
		return false, fault.New(fault.Failed, "test the lock", i.lockFile(), err)
	}
	_ = file.Unlock()
	return !free, nil
}

// Daemon returns the running daemon, or nil if there is none. A daemon that holds the
// lock but has not written its description yet has PID 0.
func (i *Instance) Daemon() (*Daemon, error) {
	alive, err := i.Alive()
	if err != nil || !alive {
		return nil, err
	}
	d, err := i.readState()
	if err != nil {
		return nil, err
	}
	if d == nil || !d.isProcess() {
		return &Daemon{}, nil // there is no file, or a previous daemon's
	}
	return d, nil
}

// Announce writes the calling daemon's description and its PID file. The caller holds
// the daemon's lock.
func (i *Instance) Announce(d Daemon) error {
	if err := atomicfile.WriteVolatile(i.PIDFile(), []byte(strconv.Itoa(os.Getpid())+"\n"), fileMode); err != nil {
		return err
	}
	return i.writeState(d)
}

// writeState writes the description of this process as the daemon.
func (i *Instance) writeState(d Daemon) error {
	birth, err := process.Birth(os.Getpid())
	if err != nil {
		return fmt.Errorf("read the start time of this process: %w", err)
	}
	d.PID, d.Birth = os.Getpid(), birth
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return atomicfile.WriteVolatile(i.stateFile(), append(data, '\n'), fileMode)
}

// Retract removes the PID file. Once the lock is free, the description tells how the daemon
// ended.
func (i *Instance) Retract() { _ = os.Remove(i.PIDFile()) }
