// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
)

// replayed is how many events dockerd remembers.
const replayed = 256

// noLegacyFields is the first API version whose events lack status, id and from.
const noLegacyFields = 52

// bus brings events to those who listen. It is guarded by Server.mu.
type bus struct {
	last        []*event // the last ones, oldest first from next on once it is full
	next        int
	subscribers map[*subscriber]struct{}
	counts      map[string]int // by action, and by type and action
	dropping    bool
}

func newBus() bus {
	return bus{subscribers: map[*subscriber]struct{}{}, counts: map[string]int{}}
}

// forget loses the events so far.
func (b *bus) forget() { b.last, b.next = nil, 0 }

func (b *bus) remember(e *event) {
	if len(b.last) < replayed {
		b.last = append(b.last, e)
		return
	}
	b.last[b.next] = e
	b.next = (b.next + 1) % replayed
}

// between returns the remembered events of a time span, as dockerd does: from
// the last one back to the first that is older.
func (b *bus) between(since, until time.Time, filter filters) []byte {
	if since.IsZero() && until.IsZero() {
		return nil
	}
	first := len(b.last)
	for first > 0 && (since.IsZero() || b.at(first-1).TimeNano >= since.UnixNano()) {
		first--
	}
	var text []byte
	for ; first < len(b.last); first++ {
		e := b.at(first)
		if (until.IsZero() || e.TimeNano <= until.UnixNano()) && includes(filter, &e.Message) {
			text = append(text, e.line()...)
		}
	}
	return text
}

func (b *bus) at(i int) *event { return b.last[(b.next+i)%len(b.last)] }

// event is a message as the API writes it.
type event struct {
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from,omitempty"`
	events.Message

	text []byte // once it was needed
}

// line returns the event as a line of JSON. Server.mu must be held.
func (e *event) line() []byte {
	if e.text == nil {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(e) // strings and numbers: can't fail
		e.text = text.Bytes()
	}
	return e.text
}

// emitLocked queues an event for all who listen.
func (s *Server) emitLocked(kind events.Type, action events.Action, id string, attributes map[string]string) {
	s.bus.counts[string(action)]++
	s.bus.counts[string(kind)+" "+string(action)]++
	if s.bus.dropping {
		return
	}
	now := s.clock()
	e := &event{Message: events.Message{
		Type:     kind,
		Action:   action,
		Actor:    events.Actor{ID: id, Attributes: attributes},
		Scope:    "local",
		Time:     now.Unix(),
		TimeNano: now.UnixNano(),
	}}
	if s.apiMinor < noLegacyFields && (kind == events.ContainerEventType || kind == events.ImageEventType) {
		e.Status, e.ID = string(action), id
		if kind == events.ContainerEventType {
			e.From = attributes["image"]
		}
	}
	s.bus.remember(e)
	for sub := range s.bus.subscribers {
		if includes(sub.filter, &e.Message) {
			sub.push(e.line())
		}
	}
}

// includes reports whether a filter lets a message pass.
func includes(f filters, m *events.Message) bool {
	if len(f) == 0 {
		return true
	}
	named := func(term string) bool {
		return f.any(term, func(value string) bool {
			return strings.HasPrefix(m.Actor.ID, value) || strings.HasPrefix(m.Actor.Attributes["name"], value)
		})
	}
	image := m.Actor.Attributes["image"]
	if m.Type == events.ImageEventType {
		image = m.Actor.Attributes["name"]
	}
	return f.exact("type", string(m.Type)) &&
		f.any("event", func(value string) bool {
			base, _, _ := strings.Cut(string(m.Action), ":")
			return value == string(m.Action) || value == base
		}) &&
		f.exact("scope", m.Scope) &&
		named("container") && named("volume") && named("network") &&
		f.any("image", func(value string) bool { return value == m.Actor.ID || value == image }) &&
		f.labels(m.Actor.Attributes)
}

// subscriber is an open event stream. However slow its reader, it loses nothing
// and delays no request.
type subscriber struct {
	filter filters
	wake   chan struct{} // has one element when there may be something to take
	cut    chan struct{} // closed to break the connection

	mu      sync.Mutex // guards what follows
	pending []byte
}

func (sub *subscriber) push(line []byte) {
	sub.mu.Lock()
	sub.pending = append(sub.pending, line...)
	sub.mu.Unlock()
	select {
	case sub.wake <- struct{}{}:
	default:
	}
}

func (sub *subscriber) take() []byte {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	text := sub.pending
	sub.pending = nil
	return text
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request, _ string) error {
	since, err := readTime(query(r, "since"))
	if err != nil {
		return err
	}
	until, err := readTime(query(r, "until"))
	if err != nil {
		return err
	}
	var end <-chan time.Time
	if !until.IsZero() {
		if until.Before(since) {
			return refuse(http.StatusBadRequest, "`since` time (%s) cannot be after `until` time (%s)",
				query(r, "since"), query(r, "until"))
		}
		timer := time.NewTimer(until.Sub(s.clock()))
		defer timer.Stop()
		end = timer.C
	}
	filter, err := readFilters(r, "type", "event", "scope", "container", "image", "volume", "network", "label", "daemon")
	if err != nil {
		return err
	}
	sub := &subscriber{filter: filter, wake: make(chan struct{}, 1), cut: make(chan struct{})}
	s.subscribe(sub, since, until)
	defer s.unsubscribe(sub)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	controller := http.NewResponseController(w)
	for {
		if _, err := w.Write(sub.take()); err != nil {
			return errCut
		}
		if err := controller.Flush(); err != nil {
			return errCut
		}
		select {
		case <-sub.wake:
		case <-sub.cut:
			return errCut
		case <-end:
			_, _ = w.Write(sub.take())
			return nil
		case <-r.Context().Done():
			return errCut
		}
	}
}

// subscribe begins with what is remembered; nothing can fall between that and
// what happens from now on.
func (s *Server) subscribe(sub *subscriber, since, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.pending = s.bus.between(since, until, sub.filter)
	if until.IsZero() || until.After(s.clock()) {
		s.bus.subscribers[sub] = struct{}{}
	}
}

func (s *Server) unsubscribe(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bus.subscribers, sub)
}

// readTime reads seconds since 1970, with up to nine digits of a fraction.
// Nothing, and 0, are the zero time.
func readTime(text string) (time.Time, error) {
	if text == "" || text == "0" {
		return time.Time{}, nil
	}
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, refuse(http.StatusBadRequest, "%v", err)
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, refuse(http.StatusBadRequest, "%v", err)
	}
	return time.Unix(seconds, nanos), nil
}

// CutEvents breaks the event streams that are open.
func (s *Server) CutEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.bus.subscribers {
		close(sub.cut)
		delete(s.bus.subscribers, sub)
	}
}

// DropEvents makes events get lost from now on, for open streams as for replay,
// without a sign of it, or ends that.
func (s *Server) DropEvents(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bus.dropping = on
}

// EventCount returns how often something happened, lost or not: an action such
// as "start" or "health_status: healthy", or with its type, as "volume create".
func (s *Server) EventCount(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bus.counts[action]
}

// Streams returns how many event streams are open.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bus.subscribers)
}
