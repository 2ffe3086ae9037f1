// SPDX-License-Identifier: Apache-2.0

// Package diagnostics defines the problems of RDD and of its machine, and the
// remedy for each. It observes nothing itself: findings depend only on an
// [Observed], so that the daemon and the command line report the same.
package diagnostics

import (
	"cmp"
	"slices"
	"strings"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

// Code names one problem. Its meaning never changes: programs and the documentation
// (docs/troubleshooting.md) rely on it.
type Code string

// Event returns the reason of the code's Events: the code in camel case.
func (c Code) Event() string {
	var reason strings.Builder
	for word := range strings.SplitSeq(string(c), "-") {
		if upper := strings.ToUpper(word); slices.Contains([]string{"kvm", "vm"}, word) {
			reason.WriteString(upper)
			continue
		}
		reason.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return reason.String()
}

// Severity is the severity of a problem.
type Severity string

// The severities, worst first.
const (
	// Error: something that the user requested does not work.
	Error Severity = "error"
	// Warning: something will stop working, or does not work as expected.
	Warning Severity = "warning"
	// Info: the user does not have to act.
	Info Severity = "info"
)

func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info}, s) }

// Observer is the part that can see a diagnostic, and reports it.
type Observer string

// The observers. `rdd status` reports everything.
const (
	// Conditions: a controller has it in a condition of the subject.
	Conditions Observer = "conditions"
	// AppEvents: the App's controller reports it by Events.
	AppEvents Observer = "app"
	// HostInfoEvents: HostInfo's controller reports it by Events.
	HostInfoEvents Observer = "hostinfo"
	// StatusCommand: no controller reports it.
	StatusCommand Observer = "status"
)

// Diagnostic is one problem. Each is one variable of this package,
// in the list of [Known].
type Diagnostic struct {
	Code     Code
	Severity Severity
	// Title describes the problem in a few words.
	Title string
	// Text describes it in full, with {arguments}.
	Text string
	// Remedy is what to do, with {arguments} and `commands to type`.
	Remedy string
	// Otherwise is the remedy if an argument of Remedy is not known.
	Otherwise string
	// DependsOn are the diagnostics that may cause this one: a finding is not shown if
	// there is one of them for the same subject.
	DependsOn []*Diagnostic
	// Reporter is who reports it, besides `rdd status`.
	Reporter Observer
	// Rule finds it in what was observed. It looks at nothing else.
	Rule func(*Observed) []evidence
}

// evidence is one problem that a rule found.
type evidence struct {
	subject Subject
	// state identifies the finding among those with the same code and subject. It
	// has no figures that change all the time.
	state string
	args  arguments
	// remedy is one for this case; empty for the diagnostic's.
	remedy string
	// inCondition is whether a condition of the subject reports the finding.
	inCondition bool
	// reaches are the subjects that the problem affects besides its own.
	reaches []Subject
}

// Registry is a list of diagnostics.
type Registry []*Diagnostic

// Known returns all diagnostics. Findings of the same severity are shown in the
// order of this list.
func Known() Registry {
	return Registry{
		DaemonNotAnswering, DaemonEnded, DaemonOtherVersion, StoreNotWritable, ControllerGone,
		SocketNotPermitted, EngineNotAnswering, EngineWrongProtocol, EngineChanged, EngineConflict, EngineUnsupported, EngineIncomplete, EngineShared,
		DeletionFailed, DeletionRefused,
		LimactlMissing, NoKVM, VMFailed, VMDegraded, AppNotSettled, ContextFailed, ContextTakenOver,
		DiskReadOnly, DiskNearlyFull, StoreLarge,
	}
}

// Diagnose returns the findings, most severe first, without consequences of other
// findings.
func (r Registry) Diagnose(o Observed) []Finding {
	if o.Command == "" {
		o.Command = "rdd"
	}
	var all []Finding
	for _, d := range r {
		for _, found := range d.Rule(&o) {
			all = append(all, d.finding(found, o.Command))
		}
	}
	return r.arrange(all)
}

// Subject names the object that a finding concerns: an object of the API, or, for
// the service as a whole, its instance.
type Subject struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String returns the kind, the namespace and the name.
func (s Subject) String() string {
	if s.Namespace == "" {
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}

// The kinds of subjects.
const (
	kindApp     = "App"
	kindEngine  = "ContainerEngine"
	kindHost    = "HostInfo"
	kindService = "Service"
	// A controller is not an object of the API.
	kindController = "Controller"
)

func subjectOf(e *containersv1alpha1.ContainerEngine) Subject {
	return Subject{Kind: kindEngine, Namespace: e.Namespace, Name: e.Name}
}

func theApp() Subject { return Subject{Kind: kindApp, Name: appv1alpha1.AppName} }

func theHost() Subject { return Subject{Kind: kindHost, Name: rddv1alpha1.HostInfoName} }

// Finding is one problem.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Subject  Subject  `json:"subject"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	// Remedy is what to do; commands to type are in `backquotes`.
	Remedy string `json:"remedy"`

	diagnostic *Diagnostic
	evidence   evidence
}

// arguments alternates names and their values.
type arguments []string

func (a arguments) fill(text string) string {
	pairs := slices.Clone(a)
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// known reports whether each argument of a text has a value.
func (a arguments) known(text string) bool {
	for i := 0; i+1 < len(a); i += 2 {
		if a[i+1] == "" && strings.Contains(text, "{"+a[i]+"}") {
			return false
		}
	}
	return true
}

// finding returns the finding for the evidence.
func (d *Diagnostic) finding(found evidence, command string) Finding {
	found.args = append(found.args, "rdd", command)
	remedy := cmp.Or(found.remedy, d.Remedy)
	if d.Otherwise != "" && !found.args.known(remedy) {
		remedy = d.Otherwise
	}
	f := Finding{Code: d.Code, Severity: d.Severity, Subject: found.subject, Title: d.Title,
		Message: found.args.fill(d.Text), Remedy: found.args.fill(remedy), diagnostic: d, evidence: found}
	f.evidence.args = nil // which have figures that change all the time
	return f
}

// arrange returns the findings that are not consequences of others, most severe
// first.
func (r Registry) arrange(all []Finding) []Finding {
	shown := slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.isConsequence(all) })
	slices.SortStableFunc(shown, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(slices.Index(r, a.diagnostic), slices.Index(r, b.diagnostic)),
			cmp.Compare(a.Subject.String(), b.Subject.String()))
	})
	return shown
}

// causes returns the diagnostics that this one depends on, directly or not.
func (d *Diagnostic) causes() []*Diagnostic {
	all := slices.Clone(d.DependsOn)
	for i := 0; i < len(all); i++ {
		for _, deeper := range all[i].DependsOn {
			if !slices.Contains(all, deeper) {
				all = append(all, deeper)
			}
		}
	}
	return all
}

func (f Finding) isConsequence(all []Finding) bool {
	causes := f.diagnostic.causes()
	return slices.ContainsFunc(all, func(cause Finding) bool {
		about := cause.Subject == f.Subject || cause.Subject.Kind == kindService || slices.Contains(cause.evidence.reaches, f.Subject)
		return about && slices.Contains(causes, cause.diagnostic)
	})
}

// Steady returns the finding without the figures in its message that change all the
// time.
func (f Finding) Steady() Finding {
	f.Message = f.evidence.state
	return f
}
