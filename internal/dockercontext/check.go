// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
)

// answerLimit is how long the engine of a context may take to answer. A login
// over SSH takes a second or two.
const answerLimit = 5 * time.Second

// verdict is the result of a check of a context.
type verdict int

const (
	answers verdict = iota
	broken          // it does not exist, or its engine does not answer
	unsure          // it can't be read, or only the user can log in
)

// sshAsks are errors of ssh for a login that could succeed with the user at the
// terminal: RDD can't answer its prompts.
var sshAsks = []string{"Permission denied", "Host key verification failed", "Too many authentication failures"}

// check pings the engine of a context over the connection that the client would use.
// The error is why it does not answer. It returns early when ctx ends, and leaves no
// process or connection.
func (c *contexts) check(ctx context.Context, name string, limit time.Duration) (verdict, error) {
	f, err := c.get(name)
	if errors.Is(err, ErrNoContext) {
		return broken, err
	}
	if err != nil {
		return unsure, err
	}
	cfg := moby.Config{Endpoint: f.host, SkipVerify: f.skipVerify}
	if endpoint.SchemeOf(f.host) == endpoint.TCP && (len(f.files) > 0 || f.skipVerify) {
		cfg.Secret = certificates{name, f.files}
	}
	engine, err := moby.New(cfg)
	if err != nil {
		return unsure, err
	}
	defer func() { _ = engine.Close() }()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: no answer within %s", f.host, limit))
	defer cancel()
	err = engine.Ping(ctx)
	switch {
	case err == nil:
		return answers, nil
	case context.Cause(ctx) != nil:
		return broken, context.Cause(ctx)
	}
	for _, text := range sshAsks {
		if endpoint.SchemeOf(f.host) == endpoint.SSH && strings.Contains(err.Error(), text) {
			return unsure, err
		}
	}
	return broken, err
}
