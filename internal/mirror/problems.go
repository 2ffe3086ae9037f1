// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
)

const (
	// problemGrace is how long something may fail before it is reported.
	problemGrace = 5 * time.Second

	// messageInterval is how long the message of a problem stays: errors may have
	// random parts, and each change is a write.
	messageInterval = time.Minute

	// maxProblems bounds the problems that are kept, and maxCountedProblems those
	// beyond that, which are only counted.
	maxProblems        = 2048
	maxCountedProblems = 1 << 16

	// maxMessage bounds text from an engine or the API server, in bytes: a condition
	// has room for it, the name of the object, and the number of other problems.
	maxMessage = 768

	// maxName bounds the name of an object in a message, in bytes.
	maxName = 128

	// announcedAtOnce bounds the Events of one report.
	announcedAtOnce = 20
)

// problem is one failure for an engine object or a kind.
type problem struct {
	key    engine.Key // without an ID: the whole kind
	reason string     // one of ConditionSynced's
	// mirrors are the names of the affected mirrors; empty for all of the key.
	mirrors []string
	message string
	since   time.Time // when it began
	shown   time.Time // when it becomes visible

	worded    time.Time // when message was set
	visible   bool      // shown has passed
	announced bool      // an Event has reported it
}

// concerns reports whether a problem affects the mirror.
func (p *problem) concerns(mirror string) bool {
	return len(p.mirrors) == 0 || slices.Contains(p.mirrors, mirror)
}

// condition returns the condition Synced of an affected mirror.
func (p *problem) condition() metav1.Condition {
	return metav1.Condition{
		Type:               containersv1alpha1.ConditionSynced,
		Status:             metav1.ConditionFalse,
		Reason:             p.reason,
		Message:            p.message,
		LastTransitionTime: metav1.NewTime(p.since.Truncate(time.Second)),
	}
}

// problemID identifies a problem: one object may have several.
type problemID struct {
	key    engine.Key
	reason string
}

// counted is a problem that is only counted.
type counted struct {
	reason string
	shown  time.Time // when it becomes visible
}

// problemSummary summarizes the problems of an engine.
type problemSummary struct {
	Count int
	// Worst is the message of the most severe problem, and Reason its reason; empty
	// for none. Worst is empty for a problem that is only counted.
	Worst, Reason string
}

// problems are the current failures for the objects of one engine. Syncs, acts,
// deletions and lists add and clear them; the writers of conditions and Events read
// them. Memory is bounded: problems beyond a number are only counted.
type problems struct {
	clock clock.PassiveClock
	// subject returns the kind and the name of an object, such as: container web.
	subject func(engine.Key) string
	seed    maphash.Seed

	mu      sync.Mutex
	known   map[problemID]*problem    // guarded by mu
	byKey   map[engine.Key][]*problem // guarded by mu; those of known
	counted map[uint64]counted        // guarded by mu; by hash
	touched map[engine.Key]struct{}   // guarded by mu; objects whose mirrors may have a stale condition Synced
}

func newProblems(c clock.PassiveClock, subject func(engine.Key) string) *problems {
	return &problems{
		clock: c, subject: subject, seed: maphash.MakeSeed(),
		known:   map[problemID]*problem{},
		byKey:   map[engine.Key][]*problem{},
		counted: map[uint64]counted{},
		touched: map[engine.Key]struct{}{},
	}
}

// add adds a problem of an object, or, if the key has no ID, of a whole kind. It is
// visible at once.
func (p *problems) add(key engine.Key, reason string, err error) {
	p.note(key, nil, reason, err, 0)
}

// suspect adds a problem that may be cleared soon: it becomes visible [problemGrace]
// after the first failure.
func (p *problems) suspect(key engine.Key, reason string, err error) {
	p.note(key, nil, reason, err, problemGrace)
}

// note is add or suspect for some of the mirrors of an object; nil for all.
func (p *problems) note(key engine.Key, mirrors []string, reason string, err error, grace time.Duration) {
	message := p.subject(key) + ": " + printable.Text(err.Error(), maxMessage)
	p.mu.Lock()
	defer p.mu.Unlock()
	now, id := p.clock.Now(), problemID{key, reason}
	known := p.known[id]
	if known == nil {
		if known = p.admitLocked(id, now, grace); known == nil {
			return
		}
	}
	if shown := now.Add(grace); shown.Before(known.shown) {
		known.shown = shown
	}
	if !slices.Equal(known.mirrors, mirrors) {
		known.mirrors = slices.Clone(mirrors)
		p.touched[key] = struct{}{}
	}
	if !wording.Same(known.message, message) && (known.message == "" || now.Sub(known.worded) >= messageInterval) {
		known.message, known.worded = message, now
		p.touched[key] = struct{}{}
	}
}

// admitLocked adds a problem. If there is no room it only counts the problem, and
// returns nil.
func (p *problems) admitLocked(id problemID, now time.Time, grace time.Duration) *problem {
	hash := p.hash(id)
	before, wasCounted := p.counted[hash]
	shown := now.Add(grace)
	if wasCounted && before.shown.Before(shown) {
		shown = before.shown
	}
	if len(p.known) >= maxProblems {
		if wasCounted || len(p.counted) < maxCountedProblems {
			p.counted[hash] = counted{id.reason, shown}
		}
		return nil
	}
	delete(p.counted, hash)
	added := &problem{key: id.key, reason: id.reason, since: now, shown: shown}
	p.known[id] = added
	p.byKey[id.key] = append(p.byKey[id.key], added)
	return added
}

func (p *problems) hash(id problemID) uint64 { return maphash.Comparable(p.seed, id) }

// clear removes the problems of an object with some reasons, or all of them if there
// are no reasons.
func (p *problems) clear(key engine.Key, reasons ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) == 0 && len(p.counted) == 0 {
		return
	}
	for _, known := range slices.Clone(p.byKey[key]) {
		if len(reasons) == 0 || slices.Contains(reasons, known.reason) {
			p.dropLocked(known)
		}
	}
	if len(p.counted) > 0 {
		if len(reasons) == 0 {
			reasons = problemReasons()
		}
		for _, reason := range reasons {
			delete(p.counted, p.hash(problemID{key, reason}))
		}
	}
}

// clearAll removes the problems with some reasons of all objects.
func (p *problems) clearAll(reasons ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.known {
		if slices.Contains(reasons, known.reason) {
			p.dropLocked(known)
		}
	}
	maps.DeleteFunc(p.counted, func(_ uint64, c counted) bool { return slices.Contains(reasons, c.reason) })
}

func (p *problems) dropLocked(known *problem) {
	delete(p.known, problemID{known.key, known.reason})
	rest := slices.DeleteFunc(p.byKey[known.key], func(other *problem) bool { return other == known })
	if len(rest) == 0 {
		delete(p.byKey, known.key)
	} else {
		p.byKey[known.key] = rest
	}
	p.touched[known.key] = struct{}{}
}

// of returns a copy of the most severe visible problem of a mirror, except some
// reasons; nil for none.
func (p *problems) of(key engine.Key, mirror string, except ...string) *problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	var worst *problem
	for _, known := range p.byKey[key] {
		if p.visibleLocked(known) && known.concerns(mirror) && !slices.Contains(except, known.reason) &&
			(worst == nil || worse(known, worst) < 0) {
			worst = known
		}
	}
	if worst == nil {
		return nil
	}
	copied := *worst
	return &copied
}

// has reports whether an object has a visible problem with a reason.
func (p *problems) has(key engine.Key, reason string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.known[problemID{key, reason}]
	return known != nil && p.visibleLocked(known)
}

// anyOf reports whether a problem of an object is reported.
func (p *problems) anyOf(key engine.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.byKey[key], p.visibleLocked)
}

func (p *problems) visibleLocked(known *problem) bool {
	if !known.visible && !known.shown.After(p.clock.Now()) {
		known.visible = true
		p.touched[known.key] = struct{}{}
	}
	return known.visible
}

// summary returns the number of visible problems, and the most severe one.
func (p *problems) summary() problemSummary {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s problemSummary
	var worst *problem
	for _, known := range p.known {
		if !p.visibleLocked(known) {
			continue
		}
		s.Count++
		if worst == nil || worse(known, worst) < 0 {
			worst = known
		}
	}
	if len(p.counted) > 0 {
		now, reasons := p.clock.Now(), problemReasons()
		for _, c := range p.counted {
			if c.shown.After(now) {
				continue
			}
			s.Count++
			if worst == nil && (s.Reason == "" || slices.Index(reasons, c.reason) < slices.Index(reasons, s.Reason)) {
				s.Reason = c.reason
			}
		}
	}
	if worst != nil {
		s.Worst, s.Reason = worst.message, worst.reason
	}
	return s
}

// takeUnannounced returns some visible problems that no Event has reported, and marks
// them as announced.
func (p *problems) takeUnannounced() []problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	var unannounced []problem
	for _, known := range p.known {
		if len(unannounced) == announcedAtOnce {
			break
		}
		if !known.announced && p.visibleLocked(known) {
			known.announced = true
			unannounced = append(unannounced, *known)
		}
	}
	slices.SortFunc(unannounced, func(a, b problem) int { return worse(&a, &b) })
	return unannounced
}

// takeTouched returns and clears the objects whose mirrors may have a stale condition
// Synced.
func (p *problems) takeTouched() []engine.Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.touched) == 0 {
		return nil
	}
	keys := make([]engine.Key, 0, len(p.touched))
	for key := range p.touched {
		if key.ID != "" {
			keys = append(keys, key)
		}
	}
	clear(p.touched)
	return keys
}

// touch adds an object to takeTouched.
func (p *problems) touch(key engine.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.touched[key] = struct{}{}
}

// problemReasons has all reasons, most severe first: a whole kind before one object,
// and failures to mirror before failures of users' requests.
func problemReasons() []string {
	return []string{
		containersv1alpha1.ReasonListFailed, containersv1alpha1.ReasonListSlow,
		containersv1alpha1.ReasonWriteRefused, containersv1alpha1.ReasonInspectFailed,
		containersv1alpha1.ReasonDeletionFailed, containersv1alpha1.ReasonActFailed,
	}
}

// worse orders problems: most severe first, and oldest first among equals.
func worse(a, b *problem) int {
	reasons := problemReasons()
	return cmp.Or(
		cmp.Compare(slices.Index(reasons, a.reason), slices.Index(reasons, b.reason)),
		a.since.Compare(b.since),
		cmp.Compare(a.key.Kind, b.key.Kind), cmp.Compare(a.key.Namespace, b.key.Namespace), cmp.Compare(a.key.ID, b.key.ID),
	)
}

// message returns the message of a ContainerEngine's condition Complete.
func (s problemSummary) message() string {
	switch {
	case s.Count == 0:
		return "all objects of the engine are mirrored"
	case s.Worst == "": // only counted problems remain
		return fmt.Sprintf("%d problems remain and are being retried", s.Count)
	case s.Count == 1:
		return s.Worst
	}
	return fmt.Sprintf("%s; and %d more", s.Worst, s.Count-1)
}

// suffix returns the end of the message of Ready: empty without problems.
func (s problemSummary) suffix() string {
	switch s.Count {
	case 0:
		return ""
	case 1:
		return "; 1 problem"
	}
	return fmt.Sprintf("; %d problems", s.Count)
}
