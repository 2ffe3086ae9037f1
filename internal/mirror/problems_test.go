// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"errors"
	"fmt"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func newTestProblems() (*problems, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1000, 0))
	return newProblems(clock, func(key engine.Key) string { return string(key.Kind) + " " + key.ID }), clock
}

func containerKey(id string) engine.Key { return engine.Key{Kind: engine.KindContainer, ID: id} }

func TestProblemsAreSaidAfterAWhile(t *testing.T) {
	p, clock := newTestProblems()
	key := containerKey("web")
	p.suspect(key, containersv1alpha1.ReasonInspectFailed, errors.New("first"))
	clock.SetTime(clock.Now().Add(problemGrace - time.Second))
	p.suspect(key, containersv1alpha1.ReasonInspectFailed, errors.New("second"))
	if s := p.summary(); s.Count != 0 || p.of(key, "web") != nil || len(p.takeUnannounced()) != 0 {
		t.Errorf("said too early: %+v", s)
	}
	clock.SetTime(clock.Now().Add(time.Second))
	want := problemSummary{Count: 1, Worst: "container web: first", Reason: containersv1alpha1.ReasonInspectFailed}
	if s := p.summary(); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if c := p.of(key, "web"); c == nil || c.condition().Reason != containersv1alpha1.ReasonInspectFailed {
		t.Errorf("the mirror's problem is %+v", c)
	}
	if keys := p.takeTouched(); len(keys) != 1 || keys[0] != key {
		t.Errorf("touched are %v", keys)
	}
	p.clear(key)
	if s := p.summary(); s != (problemSummary{}) {
		t.Errorf("after the end of it: %+v", s)
	}
	if keys := p.takeTouched(); len(keys) != 1 || keys[0] != key {
		t.Errorf("touched by the end are %v", keys)
	}
}

// TestProblemIsToldOnce: an error that has other words each time is one problem,
// with one Event and few changes of its message.
func TestProblemIsToldOnce(t *testing.T) {
	p, clock := newTestProblems()
	key := containerKey("web")
	announced, messages := 0, map[string]bool{}
	for i := range 120 { // two minutes
		p.add(key, containersv1alpha1.ReasonWriteRefused, fmt.Errorf("request %d denied", i))
		announced += len(p.takeUnannounced())
		messages[p.summary().Worst] = true
		clock.SetTime(clock.Now().Add(time.Second))
	}
	if announced != 1 || len(messages) != 2 {
		t.Errorf("announced %d times, with the messages %v", announced, messages)
	}
	p.clear(key, containersv1alpha1.ReasonWriteRefused)
	p.add(key, containersv1alpha1.ReasonWriteRefused, errors.New("denied"))
	if unannounced := p.takeUnannounced(); len(unannounced) != 1 {
		t.Errorf("after it was cleared it is announced %d times", len(unannounced))
	}
}

func TestWorstProblem(t *testing.T) {
	p, clock := newTestProblems()
	p.add(containerKey("a"), containersv1alpha1.ReasonActFailed, errors.New("x"))
	p.add(containerKey("a"), containersv1alpha1.ReasonInspectFailed, errors.New("y"))
	clock.SetTime(clock.Now().Add(time.Second))
	p.add(engine.Key{Kind: engine.KindVolume}, containersv1alpha1.ReasonListFailed, errors.New("z"))
	s := p.summary()
	if s.Count != 3 || s.Reason != containersv1alpha1.ReasonListFailed || s.message() != "volume : z; and 2 more" || s.suffix() != "; 3 problems" {
		t.Errorf("%+v: %s", s, s.message())
	}
	if worst := p.of(containerKey("a"), "m"); worst.reason != containersv1alpha1.ReasonInspectFailed {
		t.Errorf("the worst of a is %s", worst.reason)
	}
	if rest := p.of(containerKey("a"), "m", containersv1alpha1.ReasonInspectFailed); rest.reason != containersv1alpha1.ReasonActFailed {
		t.Errorf("without the worst of a: %s", rest.reason)
	}
	p.clearAll(containersv1alpha1.ReasonListFailed, containersv1alpha1.ReasonInspectFailed)
	if s := p.summary(); s.Count != 1 || s.Reason != containersv1alpha1.ReasonActFailed {
		t.Errorf("after clearing two: %+v", s)
	}
}

func TestProblemOfOneMirror(t *testing.T) {
	p, _ := newTestProblems()
	key := engine.Key{Kind: engine.KindImage, ID: "sha256:1"}
	p.note(key, []string{"img-2"}, containersv1alpha1.ReasonWriteRefused, errors.New("x"), 0)
	if p.of(key, "img-1") != nil || p.of(key, "img-2") == nil {
		t.Error("the wrong mirror has the problem")
	}
}

// TestProblemsAreBounded: what is beyond the bound is still counted, once each.
func TestProblemsAreBounded(t *testing.T) {
	p, _ := newTestProblems()
	const more = 500
	for range 2 {
		for i := range maxProblems + more {
			p.add(containerKey(fmt.Sprint(i)), containersv1alpha1.ReasonInspectFailed, errors.New("x"))
		}
	}
	if s := p.summary(); s.Count != maxProblems+more || len(p.known) != maxProblems {
		t.Errorf("%d problems are said, %d are kept", s.Count, len(p.known))
	}
	for i := range maxProblems + more {
		p.clear(containerKey(fmt.Sprint(i)))
	}
	if s := p.summary(); s.Count != 0 {
		t.Errorf("%d problems are left", s.Count)
	}
	for i := range maxCountedProblems + maxProblems + 10 {
		p.add(containerKey(fmt.Sprint(i)), containersv1alpha1.ReasonInspectFailed, errors.New("x"))
	}
	if len(p.known)+len(p.counted) > maxProblems+maxCountedProblems {
		t.Errorf("%d and %d problems are kept", len(p.known), len(p.counted))
	}
}

// TestCountedProblemsHaveAReason: where what is known in detail ends before what is
// only counted, there is still something to say.
func TestCountedProblemsHaveAReason(t *testing.T) {
	t.Parallel()
	p, _ := newTestProblems()
	for i := range maxProblems + 2 {
		p.add(containerKey(fmt.Sprint(i)), containersv1alpha1.ReasonActFailed, errors.New("denied"))
	}
	p.add(containerKey("last"), containersv1alpha1.ReasonInspectFailed, errors.New("silent"))
	for i := range maxProblems {
		p.clear(containerKey(fmt.Sprint(i)))
	}
	if s := p.summary(); s.Count != 3 || s.Reason != containersv1alpha1.ReasonInspectFailed || s.message() == "" {
		t.Errorf("got %+v: %q", s, s.message())
	}
	p.clearAll(connectionReasons()...)
	if s := p.summary(); s.Count != 2 || s.Reason != containersv1alpha1.ReasonActFailed {
		t.Errorf("with the connection other problems went, too: %+v", s)
	}
}
