// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// stages are the running components of the daemon. They stop in the reverse order of
// their start, each after the next one has stopped.
type stages struct {
	log  *slog.Logger
	fail func(error) // called with the error of a component that fails

	mu    sync.Mutex
	list  []*stage // guarded by mu
	ended bool     // guarded by mu
}

type stage struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

func newStages(log *slog.Logger, fail func(error)) *stages {
	return &stages{log: log, fail: fail}
}

// start runs a component until its context ends. If it returns earlier, it has failed.
func (s *stages) start(name string, run func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	st := &stage{name: name, cancel: cancel, done: make(chan struct{})}
	s.list = append(s.list, st)
	go func() {
		defer close(st.done)
		err := run(ctx)
		switch {
		case ctx.Err() == nil && err == nil:
			s.fail(fmt.Errorf("%s %w", name, errEnded))
		case ctx.Err() == nil:
			s.fail(fmt.Errorf("%s: %w", name, err))
		case err != nil:
			s.log.Warn("stopping a component failed", "part", name, "error", err)
		}
	}()
}

// end stops all components.
func (s *stages) end() {
	s.mu.Lock()
	list := s.list
	s.list, s.ended = nil, true
	s.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		s.log.Debug("ending", "part", list[i].name)
		list[i].cancel()
		<-list[i].done
	}
}
