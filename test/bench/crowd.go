// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// watchers see the Containers, and cost little themselves: they share the machine
// with the daemon that is measured.
type watchers struct {
	n       int
	cancel  context.CancelFunc
	reading sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}          // guarded by mu; closed and replaced when something is seen by all
	seen    map[sighting]int       // guarded by mu; by how many
	all     map[sighting]time.Time // guarded by mu; when the last saw it
	err     error                  // guarded by mu
}

// sighting is a container in a state.
type sighting struct {
	object string
	state  containersv1alpha1.Phase
}

// gather returns n watchers whose watches have begun.
func gather(ctx context.Context, d *daemon, n int) (*watchers, error) {
	config, err := d.config(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watchers{n: n, cancel: cancel, changed: make(chan struct{}), seen: map[sighting]int{}, all: map[sighting]time.Time{}}
	for range n {
		one, err := newOnlooker(config)
		if err == nil {
			err = one.begin(ctx)
		}
		if err != nil {
			w.disperse()
			return nil, err
		}
		w.reading.Go(func() {
			defer one.transport.CloseIdleConnections()
			if err := one.read(ctx, w.see); ctx.Err() == nil {
				w.fail(err)
			}
		})
	}
	return w, nil
}

// disperse ends the watches.
func (w *watchers) disperse() {
	w.cancel()
	w.reading.Wait()
}

func (w *watchers) see(s sighting) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[s]++; w.seen[s] == w.n {
		w.all[s] = now
		w.wakeLocked()
	}
}

func (w *watchers) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
	w.wakeLocked()
}

func (w *watchers) wakeLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// last waits until all have seen something, and returns when the last did: the
// zero time if nothing watches.
func (w *watchers) last(ctx context.Context, s sighting) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		w.mu.Lock()
		at, all, seen, changed, err := w.all[s], w.seen[s] >= w.n, w.seen[s], w.changed, w.err
		w.mu.Unlock()
		if all || err != nil {
			return at, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return at, fmt.Errorf("%d of %d watchers saw %s: %w", seen, w.n, s.state, ctx.Err())
		}
	}
}

// onlooker is one watcher, with a connection of its own.
type onlooker struct {
	client    *http.Client
	transport *http.Transport
	host      string

	stream  io.ReadCloser
	version string                              // of what it saw last
	state   map[string]containersv1alpha1.Phase // by object
}

func newOnlooker(config *rest.Config) (*onlooker, error) {
	secrets, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: secrets, ForceAttemptHTTP2: true}
	wrapped, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, err
	}
	return &onlooker{client: &http.Client{Transport: wrapped}, transport: transport, host: config.Host, state: map[string]containersv1alpha1.Phase{}}, nil
}

// begin begins a watch, or goes on with it. When it returns nothing is missed.
func (o *onlooker) begin(ctx context.Context) error {
	query := url.Values{"watch": {"true"}}
	if o.version != "" {
		query.Set("resourceVersion", o.version)
	}
	address := o.host + "/apis/" + containersv1alpha1.GroupVersion.String() + "/containers?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := o.client.Do(request) //nolint:bodyclose // it is the stream, which read closes
	if err != nil {
		return err
	}
	o.stream = response.Body
	if response.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("watch: %s", response.Status), o.stream.Close())
	}
	return nil
}

// read tells of each state that a container comes to, until an error. The API
// server ends the watch of a client that does not keep up for a moment.
func (o *onlooker) read(ctx context.Context, see func(sighting)) error {
	for {
		lines := bufio.NewReader(o.stream)
		line, err := lines.ReadBytes('\n')
		for err == nil {
			if err := o.take(line, see); err != nil {
				return errors.Join(err, o.stream.Close())
			}
			line, err = lines.ReadBytes('\n')
		}
		_ = o.stream.Close()
		if err := o.begin(ctx); err != nil {
			return err
		}
	}
}

func (o *onlooker) take(line []byte, see func(sighting)) error {
	var event struct {
		Type   watch.EventType `json:"type"`
		Object struct {
			Metadata struct {
				Name            string `json:"name"`
				ResourceVersion string `json:"resourceVersion"`
			} `json:"metadata"`
			Status struct {
				Status containersv1alpha1.Phase `json:"status"`
			} `json:"status"`
		} `json:"object"`
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return err
	}
	if event.Type == watch.Error {
		return fmt.Errorf("the watch says: %s", line)
	}
	name := event.Object.Metadata.Name
	o.version = event.Object.Metadata.ResourceVersion
	if event.Type == watch.Deleted {
		delete(o.state, name)
		see(sighting{name, gone})
		return nil
	}
	if state := event.Object.Status.Status; state != "" && state != o.state[name] {
		o.state[name] = state
		see(sighting{name, state})
	}
	return nil
}
