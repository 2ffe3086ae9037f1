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

// resolved ends the reason of an Event for a finding that no longer exists.
const resolved = "Resolved"

// Reporter reports the findings that no condition reports, by Events on their
// subjects: when a finding appears, changes or is resolved. It remembers the
// reported findings in memory only, so that a new daemon reports them again. It is
// for one goroutine.
type Reporter struct {
	events   record.EventRecorder
	observer Observer
	reported map[spot]Finding
}

// spot identifies a finding.
type spot struct {
	code    Code
	subject Subject
}

// maxQuoted bounds the message in an Event, in bytes, to leave room for the remedy.
const maxQuoted = 512

// NewReporter returns a reporter of an observer's diagnostics.
func NewReporter(events record.EventRecorder, observer Observer) *Reporter {
	return &Reporter{events: events, observer: observer, reported: map[spot]Finding{}}
}

// Report sends Events for the changes since the last call. findings are all current
// findings, concerned all their possible subjects.
func (r *Reporter) Report(findings []Finding, concerned ...client.Object) {
	objects := map[Subject]client.Object{}
	for _, object := range concerned {
		objects[subjectFor(object)] = object
	}
	current := map[spot]bool{}
	for _, f := range findings {
		if f.evidence.inCondition || f.diagnostic.Reporter != r.observer {
			continue
		}
		at := spot{f.Code, f.Subject}
		current[at] = true
		before, known := r.reported[at]
		object := objects[f.Subject]
		if object == nil || known && wording.Same(before.evidence.state, f.evidence.state) {
			continue
		}
		kind := corev1.EventTypeWarning
		if f.Severity == Info {
			kind = corev1.EventTypeNormal
		}
		r.events.Event(object, kind, f.Code.Event(), f.Title+": "+printable.Text(f.Message, maxQuoted)+". What to do: "+f.Remedy)
		r.reported[at] = f
	}
	for at, f := range r.reported {
		if current[at] {
			continue
		}
		delete(r.reported, at)
		if object := objects[at.subject]; object != nil {
			r.events.Event(object, corev1.EventTypeNormal, f.Code.Event()+resolved, "Resolved: "+f.Title)
		}
	}
}

// subjectFor returns an object as a subject.
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
