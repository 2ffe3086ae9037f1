// SPDX-License-Identifier: Apache-2.0

// Package finder finds an engine with Docker's API that is there already:
// the one that the docker command would use, else one at a usual place.
package finder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// defaultContext is no context, but what the client does without one.
const defaultContext = "default"

// patience is how long an engine may take to answer.
const patience = 5 * time.Second

// Names of the environment variables with which users choose an engine
// (https://docs.docker.com/reference/cli/docker/#environment-variables).
const (
	HostEnv    = "DOCKER_HOST"
	ContextEnv = "DOCKER_CONTEXT"
)

// Contexts are those of Docker's client.
type Contexts interface {
	// Current returns the name of the current context, empty for none.
	Current() (string, error)
	// Host returns where a context's engine is.
	Host(name string) (string, error)
}

// Config says where to look.
type Config struct {
	Contexts Contexts
	// Getenv reads the user's environment.
	Getenv func(string) string
	// Usual has the endpoints at which engines usually are, the best first.
	Usual []string
	// Own are the endpoints that RDD itself has made for this instance, and
	// OwnContext is its context: an engine that leads to itself is none.
	Own        []string
	OwnContext string
	// Ask returns the version of the engine at an endpoint, or why there is none.
	Ask func(ctx context.Context, endpoint string) (version string, err error)
	// Progress, which may be nil, receives what is being checked.
	Progress func(message string)
}

// For returns where an instance looks for an engine, but not how it asks.
func For(inst *instance.Instance, contexts Contexts, usual []string, getenv func(string) string) Config {
	return Config{
		Contexts:   contexts,
		Getenv:     getenv,
		Usual:      usual,
		Own:        []string{endpoint.ForSocket(inst.DockerSocket())},
		OwnContext: inst.ContextName(),
	}
}

// Candidate is an endpoint, and who names it.
type Candidate struct {
	Endpoint string
	// Source names it: "DOCKER_HOST", "your current Docker context, NAME".
	Source string
	// chosen says that the user chose it, which is worth a word if it fails.
	chosen bool
}

// Engine is one that answers.
type Engine struct {
	Candidate
	Version string
	// Passed says of each that would have come before why it is not taken.
	Passed []string
}

// ErrNone is the error of [Find] where no engine answers.
var ErrNone = errors.New("no Docker engine answers")

// NoneError is an [ErrNone] that says what was tried.
type NoneError struct {
	tried string
	// Denied is the first endpoint that is there and that the user may not use; empty
	// for none.
	Denied string
}

// Error implements error.
func (e *NoneError) Error() string { return ErrNone.Error() + ": " + e.tried }

// Is reports that it is an [ErrNone].
func (e *NoneError) Is(target error) bool { return target == ErrNone }

// Denied returns the endpoint of the first engine that [Find] would ask, if the user may not use
// it; empty if it is not, or if only a question could show it.
func Denied(cfg Config) string {
	candidates, _ := cfg.candidates()
	for _, candidate := range candidates {
		path := endpoint.SocketPath(candidate.Endpoint)
		if candidate.Endpoint == "" || slices.Contains(cfg.Own, candidate.Endpoint) {
			continue
		}
		if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if access.Denied(path) {
			return candidate.Endpoint
		}
		return ""
	}
	return ""
}

// Find returns the first engine that answers. The order is that of Docker's
// client, in which DOCKER_HOST takes precedence over DOCKER_CONTEXT, and that over
// the current context; then come the usual places. Where none answers, the error
// is a [*NoneError].
func Find(ctx context.Context, cfg Config) (*Engine, error) {
	candidates, passed := cfg.candidates()
	none := &NoneError{}
	var asked []string
	for _, candidate := range candidates {
		if candidate.Endpoint == "" || slices.Contains(cfg.Own, candidate.Endpoint) || slices.Contains(asked, candidate.Endpoint) {
			continue
		}
		asked = append(asked, candidate.Endpoint)
		version, err := cfg.ask(ctx, candidate)
		if err == nil {
			return &Engine{Candidate: candidate, Version: version, Passed: passed}, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if none.Denied == "" && access.Denied(endpoint.SocketPath(candidate.Endpoint)) {
			none.Denied = candidate.Endpoint
		}
		// That nothing is at a usual place is as usual.
		if candidate.chosen || !errors.Is(err, fs.ErrNotExist) {
			passed = append(passed, fmt.Sprintf("%s: %v", candidate.Source, err))
		}
	}
	none.tried = strings.Join(passed, "; ")
	if len(passed) == 0 {
		none.tried = "there is nothing at " + strings.Join(asked, ", ")
	}
	return nil, none
}

func (c Config) ask(ctx context.Context, candidate Candidate) (string, error) {
	if c.Progress != nil {
		where := "the usual places"
		if candidate.chosen {
			where = candidate.Endpoint
		}
		c.Progress("looking for a Docker engine at " + where)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.Ask(ctx, candidate.Endpoint)
}

// candidates returns where to look, in order, and what is wrong with what the
// user chose.
func (c Config) candidates() (candidates []Candidate, passed []string) {
	if host := c.Getenv(HostEnv); host != "" {
		candidates = append(candidates, Candidate{Endpoint: host, Source: HostEnv, chosen: true})
	}
	chosen, err := c.context()
	if err != nil {
		passed = append(passed, err.Error())
	}
	candidates = append(candidates, chosen)
	for _, endpoint := range c.Usual {
		candidates = append(candidates, Candidate{Endpoint: endpoint, Source: "a usual place"})
	}
	return candidates, passed
}

// context returns the candidate that the user's context is; one without an
// endpoint where there is none.
func (c Config) context() (Candidate, error) {
	name, source := c.Getenv(ContextEnv), ContextEnv+"="
	if name == "" {
		source = "your current Docker context, "
		var err error
		if name, err = c.Contexts.Current(); err != nil {
			return Candidate{}, fmt.Errorf("your current Docker context: %w", err)
		}
	}
	if name == "" || name == defaultContext || name == c.OwnContext {
		return Candidate{}, nil
	}
	source += name
	if other, ok := strings.CutPrefix(name, instance.ContextPrefix); ok {
		source += ", which is that of instance " + other
	}
	host, err := c.Contexts.Host(name)
	if err != nil {
		return Candidate{}, fmt.Errorf("%s: %w", source, err)
	}
	return Candidate{Endpoint: host, Source: source, chosen: true}, nil
}
