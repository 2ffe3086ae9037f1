// SPDX-License-Identifier: Apache-2.0

// Package diagnostics defines the problems of RDD and of its machine, and the
// remedy for each. It observes nothing itself: findings depend only on an
// [Observed], so that the daemon and the command line report the same.
package diagnostics

import (
	"cmp"
	"slices"
	"strings"
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

// Definition defines a code.
type Definition struct {
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
	// DependsOn are the codes that may cause this one: a finding is not shown if
	// there is one with such a code for the same subject.
	DependsOn []Code
}

// Registry is a list of definitions.
type Registry []Definition

func (r Registry) definition(code Code) Definition {
	at := slices.IndexFunc(r, func(d Definition) bool { return d.Code == code })
	if at < 0 {
		return Definition{Code: code, Severity: Error, Title: string(code)}
	}
	return r[at]
}

// causes returns the codes that a code depends on, directly or not.
func (r Registry) causes(code Code) []Code {
	all := slices.Clone(r.definition(code).DependsOn)
	for i := 0; i < len(all); i++ {
		for _, deeper := range r.definition(all[i]).DependsOn {
			if !slices.Contains(all, deeper) {
				all = append(all, deeper)
			}
		}
	}
	return all
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

// Finding is one problem.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Subject  Subject  `json:"subject"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	// Remedy is what to do; commands to type are in `backquotes`.
	Remedy string `json:"remedy"`

	// state identifies the finding among those with the same code and subject. It
	// has no figures that change all the time.
	state string
	// inCondition is whether a condition of the subject reports the finding.
	inCondition bool
	// reaches are the subjects that the problem affects besides its own.
	reaches []Subject
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

// find creates a finding of a code.
func (r Registry) find(code Code, subject Subject, args arguments) Finding {
	d := r.definition(code)
	remedy := d.Remedy
	if d.Otherwise != "" && !args.known(remedy) {
		remedy = d.Otherwise
	}
	return Finding{Code: code, Severity: d.Severity, Subject: subject, Title: d.Title,
		Message: args.fill(d.Text), Remedy: args.fill(remedy)}
}

// arrange returns the findings that are not consequences of others, most severe
// first.
func (r Registry) arrange(all []Finding) []Finding {
	shown := slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return r.isConsequence(f, all) })
	order := func(f Finding) int { return slices.IndexFunc(r, func(d Definition) bool { return d.Code == f.Code }) }
	slices.SortStableFunc(shown, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(order(a), order(b)),
			cmp.Compare(a.Subject.String(), b.Subject.String()))
	})
	return shown
}

func (r Registry) isConsequence(f Finding, all []Finding) bool {
	causes := r.causes(f.Code)
	return slices.ContainsFunc(all, func(cause Finding) bool {
		about := cause.Subject == f.Subject || cause.Subject.Kind == kindService || slices.Contains(cause.reaches, f.Subject)
		return about && slices.Contains(causes, cause.Code)
	})
}

// Steady returns the finding without the figures in its message that change all the
// time.
func (f Finding) Steady() Finding {
	f.Message = f.state
	return f
}
