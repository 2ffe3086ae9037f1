// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
)

// over is the end of the reason of an Event that says that a finding is one no
// more.
const over = "Resolved"

// Reporter tells of findings that no condition tells of, by Events on what they
// concern: when one appears or becomes another, and when it is over. It remembers
// what it told, so that a new one, in a daemon that starts, tells again what is
// still so. It is for one goroutine.
type Reporter struct {
	events   record.EventRecorder
	observer Observer
	told     map[spot]Finding
}

// spot is where a finding is.
type spot struct {
	code    Code
	subject Subject
}

// maxQuoted is how much of a message an Event has, so that there is room for the remedy.
const maxQuoted = 512

// NewReporter returns a reporter of the diagnostics of an observer, that has told
// nothing yet.
func NewReporter(events record.EventRecorder, observer Observer) *Reporter {
	return &Reporter{events: events, observer: observer, told: map[spot]Finding{}}
}

// Report tells what is new. They are all the findings that there are, and all the
// objects that they may concern.
func (r *Reporter) Report(findings []Finding, concerned ...client.Object) {
	objects := map[Subject]client.Object{}
	for _, object := range concerned {
		objects[subjectFor(object)] = object
	}
	current := map[spot]bool{}
	for _, f := range findings {
		if f.evidence.standing || f.diagnostic.Reporter != r.observer {
			continue
		}
		at := spot{f.Code, f.Subject}
		current[at] = true
		before, known := r.told[at]
		object := objects[f.Subject]
		if object == nil || known && wording.Same(before.evidence.state, f.evidence.state) {
			continue
		}
		kind := corev1.EventTypeWarning
		if f.Severity == Info {
			kind = corev1.EventTypeNormal
		}
		r.events.Event(object, kind, f.Code.Event(), f.Title+": "+printable.Text(f.Message, maxQuoted)+". What to do: "+f.Remedy)
		r.told[at] = f
	}
	for at, f := range r.told {
		if current[at] {
			continue
		}
		delete(r.told, at)
		if object := objects[at.subject]; object != nil {
			r.events.Event(object, corev1.EventTypeNormal, f.Code.Event()+over, "It is over: "+f.Title)
		}
	}
}

// subjectFor returns how findings name an object.
func subjectFor(object client.Object) Subject {
	kind := ""
	switch object.(type) {
	case *appv1alpha1.App:
		kind = kindApp
	case *containersv1alpha1.ContainerEngine:
		kind = kindEngine
	case *rddv1alpha1.HostInfo:
		kind = kindHost
	}
	return Subject{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
}
