// SPDX-License-Identifier: Apache-2.0

package finder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// fakeContexts are contexts by name; the one under "" is the current one's name.
type fakeContexts map[string]string

func (c fakeContexts) Current() (string, error) {
	if c[""] == "broken" {
		return "", errors.New("no JSON")
	}
	return c[""], nil
}

func (c fakeContexts) Host(name string) (string, error) {
	host, ok := c[name]
	if !ok {
		return "", errors.New("no such context")
	}
	return host, nil
}

func TestFind(t *testing.T) {
	const usual, rootless, own = "unix:///var/run/docker.sock", "unix:///run/user/1/docker.sock", "unix:///home/.rd2/docker.sock"
	for name, test := range map[string]struct {
		env      map[string]string
		contexts fakeContexts
		answers  []string // endpoints
		want     string   // the endpoint; empty for none
		source   string
		asked    []string
		passed   []string // words of each, or, where there is none, of the error
	}{
		"a usual place": {answers: []string{usual, rootless}, want: usual, source: "a usual place", asked: []string{usual}},
		"the next usual place": {answers: []string{rootless}, want: rootless, source: "a usual place",
			asked: []string{usual, rootless}},
		"the current context": {
			contexts: fakeContexts{"": "far", "far": "ssh://far"}, answers: []string{"ssh://far", usual},
			want: "ssh://far", source: "your current Docker context, far", asked: []string{"ssh://far"},
		},
		"DOCKER_CONTEXT beats it": {
			env:      map[string]string{"DOCKER_CONTEXT": "near"},
			contexts: fakeContexts{"": "far", "far": "ssh://far", "near": "tcp://near:1"}, answers: []string{"ssh://far", "tcp://near:1"},
			want: "tcp://near:1", source: "DOCKER_CONTEXT=near", asked: []string{"tcp://near:1"},
		},
		"DOCKER_HOST beats all": {
			env:      map[string]string{"DOCKER_HOST": "tcp://host:1", "DOCKER_CONTEXT": "far"},
			contexts: fakeContexts{"far": "ssh://far"}, answers: []string{"tcp://host:1", "ssh://far", usual},
			want: "tcp://host:1", source: "DOCKER_HOST", asked: []string{"tcp://host:1"},
		},
		"what was chosen does not answer": {
			env:      map[string]string{"DOCKER_HOST": "tcp://host:1"},
			contexts: fakeContexts{"": "far", "far": "ssh://far"}, answers: []string{usual},
			want: usual, source: "a usual place", asked: []string{"tcp://host:1", "ssh://far", usual},
			passed: []string{"DOCKER_HOST: tcp://host:1", "your current Docker context, far: ssh://far"},
		},
		"a context that is gone": {
			contexts: fakeContexts{"": "gone"}, answers: []string{usual}, want: usual, source: "a usual place", asked: []string{usual},
			passed: []string{"gone: no such context"},
		},
		"a configuration that can't be read": {
			contexts: fakeContexts{"": "broken"}, answers: []string{usual}, want: usual, source: "a usual place", asked: []string{usual},
			passed: []string{"no JSON"},
		},
		"the default context": {
			contexts: fakeContexts{"": "default"}, answers: []string{usual}, want: usual, source: "a usual place", asked: []string{usual},
		},
		"one's own context and socket": {
			env:      map[string]string{"DOCKER_HOST": own},
			contexts: fakeContexts{"": "rancher-desktop-2", "rancher-desktop-2": "tcp://loop:1"}, answers: []string{own, "tcp://loop:1", usual},
			want: usual, source: "a usual place", asked: []string{usual},
		},
		"another instance's context": {
			contexts: fakeContexts{"": "rancher-desktop-3", "rancher-desktop-3": "tcp://three:1"}, answers: []string{"tcp://three:1"},
			want: "tcp://three:1", source: "your current Docker context, rancher-desktop-3, which is that of instance 3", asked: []string{"tcp://three:1"},
		},
		"twice the same": {
			env: map[string]string{"DOCKER_HOST": usual}, answers: []string{rootless},
			want: rootless, source: "a usual place", asked: []string{usual, rootless}, passed: []string{"DOCKER_HOST"},
		},
		"none": {asked: []string{usual, rootless}, passed: []string{usual, rootless}},
		"none of those chosen": {env: map[string]string{"DOCKER_HOST": "tcp://host:1"},
			asked: []string{"tcp://host:1", usual, rootless}, passed: []string{"DOCKER_HOST: tcp://host:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			engine, err := Find(t.Context(), Config{
				Contexts: test.contexts,
				Getenv:   func(name string) string { return test.env[name] },
				Usual:    []string{usual, rootless},
				Own:      []string{own}, OwnContext: "rancher-desktop-2",
				Ask: func(_ context.Context, endpoint string) (string, error) {
					asked = append(asked, endpoint)
					if slices.Contains(test.answers, endpoint) {
						return "1.2", nil
					}
					return "", fmt.Errorf("%s: %w", endpoint, fs.ErrNotExist)
				},
			})
			if !slices.Equal(asked, test.asked) {
				t.Errorf("asked %v, want %v", asked, test.asked)
			}
			said := ""
			switch {
			case test.want == "":
				if !errors.Is(err, ErrNone) {
					t.Fatalf("%+v, %v", engine, err)
				}
				said = err.Error()
			case err != nil:
				t.Fatal(err)
			default:
				if engine.Endpoint != test.want || engine.Source != test.source || engine.Version != "1.2" {
					t.Errorf("%+v, want %s of %s", engine, test.want, test.source)
				}
				if len(engine.Passed) != len(test.passed) {
					t.Errorf("passed %q, want %q", engine.Passed, test.passed)
				}
				said = strings.Join(engine.Passed, "\n")
			}
			for _, words := range test.passed {
				if !strings.Contains(said, words) {
					t.Errorf("%q is not said: %s", words, said)
				}
			}
		})
	}
}

// TestPermission: an engine that the user may not use is worth a word, though
// the user did not choose it.
func TestPermission(t *testing.T) {
	_, err := Find(t.Context(), Config{
		Contexts: fakeContexts{},
		Getenv:   func(string) string { return "" },
		Usual:    []string{"unix:///a", "unix:///b"},
		Ask: func(_ context.Context, endpoint string) (string, error) {
			if endpoint == "unix:///a" {
				return "", fmt.Errorf("%s: %w", endpoint, fs.ErrPermission)
			}
			return "", fs.ErrNotExist
		},
	})
	if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "unix:///a: permission denied") {
		t.Error(err)
	}
}
