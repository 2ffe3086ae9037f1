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

// verdict is what is known of a context.
type verdict int

const (
	answers verdict = iota
	broken          // it is missing, or its engine does not answer
	unsure          // it can't be read, or only its user could tell
)

// sshAsks are what ssh says where a login fails that could succeed with the user
// at the terminal: RDD can't answer its questions.
var sshAsks = []string{"Permission denied", "Host key verification failed", "Too many authentication failures"}

// look asks the engine of a context whether it is there, over the connection
// that the client would make. Where it does not answer the error says why. It
// returns early when ctx ends, and no process or connection is left.
func (c *contexts) look(ctx context.Context, name string, limit time.Duration) (verdict, error) {
	f, err := c.get(name)
	if errors.Is(err, ErrNoContext) {
		return broken, err
	}
	if err != nil {
		return unsure, err
	}
	cfg := moby.Config{Endpoint: f.host, SkipVerify: f.skipVerify}
	if endpoint.SchemeOf(f.host) == endpoint.TCP && (len(f.files) > 0 || f.skipVerify) {
		cfg.Secret = given{name, f.files}
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
	for _, words := range sshAsks {
		if endpoint.SchemeOf(f.host) == endpoint.SSH && strings.Contains(err.Error(), words) {
			return unsure, err
		}
	}
	return broken, err
}
