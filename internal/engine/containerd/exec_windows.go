// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Exec implements [engine.Execer]. It is not supported: containerd must be on this
// machine, and rdd can't connect to it on Windows.
func (e *Engine) Exec(context.Context, engine.Key, engine.ExecOptions) (engine.Process, error) {
	return nil, fmt.Errorf("%w: running processes in containerd's containers is not supported on Windows", engine.ErrRefused)
}
