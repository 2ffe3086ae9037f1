// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// stages are the running parts of the daemon. They end in the reverse of the
// order in which they were started, each before the next is asked to.
type stages struct {
	log  *slog.Logger
	fail func(error) // called with the reason where one dies

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

// start runs a part until its context ends. A part that returns before is dead.
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
			s.log.Warn("a part did not end well", "part", name, "error", err)
		}
	}()
}

// end ends all parts.
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
