// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/moby/moby/client"
	"k8s.io/apimachinery/pkg/util/wait"
)

// endGrace is how long an engine may take to say that a process has ended with
// whose connection it had no patience.
const endGrace = 2 * time.Second

// endPause is the back-off between two questions whether a process has ended whose
// output has.
var endPause = wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Steps: 100, Cap: time.Second}

// outputReader reads what a process writes. An engine closes the connection when the
// process has ended, and where the process did not read all of its input the system
// makes a reset of that.
type outputReader struct {
	io.Reader
	reset bool
}

// Read implements [io.Reader].
func (r *outputReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, syscall.ECONNRESET) {
		r.reset, err = true, io.EOF
	}
	return n, err
}

// exitCode waits until the engine says that the process has ended, which may be a moment
// after the end of its output, or much later: a process may close its outputs and run
// on. After a reset the connection may have been lost, too.
func (p *process) exitCode(ctx context.Context, reset bool) (int, error) {
	began := time.Now()
	for pause := endPause; ; {
		result, err := p.inspect(ctx)
		switch {
		case err != nil:
			return 0, translate(err)
		case result.ID == "": // an answer without a code is no 0
			return 0, errors.New("the engine does not report the exit code")
		case !result.Running:
			return result.ExitCode, nil
		case reset && time.Since(began) > endGrace:
			return 0, fmt.Errorf("the engine closed the connection to a running process: %w", syscall.ECONNRESET)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pause.Step()):
		}
	}
}

func (p *process) inspect(ctx context.Context) (client.ExecInspectResult, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.client.ExecInspect(ctx, p.id, client.ExecInspectOptions{})
}
