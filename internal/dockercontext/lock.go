// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
)

const (
	lockName  = ".rdd.lock"
	lockRetry = 20 * time.Millisecond

	dirMode      = 0o700
	lockFileMode = 0o600
)

// lock locks the contexts against other instances of RDD until unlock is called,
// which removes the lock file.
func (c *contexts) lock(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(c.dir, lockName)
	for {
		if err := os.MkdirAll(c.dir, dirMode); err != nil {
			return nil, err
		}
		file := flock.New(path, flock.SetPermissions(lockFileMode))
		if _, err := file.TryLockContext(ctx, lockRetry); err != nil {
			return nil, fault.New(fault.KindOf(err), "lock", path, owned.Explain(path, err))
		}
		// The previous holder may have removed the file, and another process may have
		// created a new one.
		held, heldErr := file.Stat()
		named, namedErr := os.Stat(path)
		if heldErr == nil && namedErr == nil && os.SameFile(held, named) {
			return func() {
				removed := os.Remove(path) // fails on Windows while the file is open
				_ = file.Unlock()
				if removed != nil {
					_ = os.Remove(path)
				}
			}, nil
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
