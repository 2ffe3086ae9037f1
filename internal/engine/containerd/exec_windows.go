// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Exec implements [engine.Execer]: containerd would have to be on this machine,
// and there is no way yet to reach one that is.
func (e *Engine) Exec(context.Context, engine.Key, engine.ExecOptions) (engine.Process, error) {
	return nil, fmt.Errorf("%w: running processes in containerd's containers is not supported on Windows", engine.ErrRefused)
}
