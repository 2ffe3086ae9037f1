// SPDX-License-Identifier: Apache-2.0

// Package diagnostics knows what can be wrong with RDD and what it runs on, and
// what to do about each. It looks at nothing itself: what is wrong follows from
// what was observed, so that the daemon and the command line say the same.
package diagnostics

import (
	"cmp"
	"slices"
	"strings"
)

// Code names one thing that can be wrong. It never changes its meaning: programs
// and the documentation (docs/troubleshooting.md) rely on it.
type Code string

// Event returns the reason of Events that tell of the code: the code in camel
// case.
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

// Severity says how much it matters.
type Severity string

// The severities, worst first.
const (
	// Error: something that the user asked for does not work.
	Error Severity = "error"
	// Warning: something will stop working, or works otherwise than expected.
	Warning Severity = "warning"
	// Info: nothing has to be done.
	Info Severity = "info"
)

func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info}, s) }

// Definition is what there is to know of a code.
type Definition struct {
	Code     Code
	Severity Severity
	// Title says it in a few words.
	Title string
	// Text says it in full, with {arguments}.
	Text string
	// Remedy says what to do, with {arguments} and `commands to type`.
	Remedy string
	// Otherwise is the remedy where an argument of Remedy is not known.
	Otherwise string
	// DependsOn are the codes whose consequence it may be: where one of them is
	// found about the same subject, this one is not worth a word.
	DependsOn []Code
}

// Registry is all that can be wrong.
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

// Subject names what a finding concerns: an object of the API, or, for the
// service as a whole, its instance.
type Subject struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String returns the subject as people write it.
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
	// A controller is no object.
	kindController = "Controller"
)

// Finding is one thing that is wrong.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Subject  Subject  `json:"subject"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	// Remedy is what to do about it; commands to type are in `backquotes`.
	Remedy string `json:"remedy"`

	// state is what makes it another finding than one before with the same code
	// and subject. Figures that change all the time are none of it.
	state string
	// standing is that a condition of the subject says it.
	standing bool
	// reaches are the subjects that suffer from it besides its own.
	reaches []Subject
}

// arguments are names and their values, in turn.
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

// find makes a finding of a code.
func (r Registry) find(code Code, subject Subject, args arguments) Finding {
	d := r.definition(code)
	remedy := d.Remedy
	if d.Otherwise != "" && !args.known(remedy) {
		remedy = d.Otherwise
	}
	return Finding{Code: code, Severity: d.Severity, Subject: subject, Title: d.Title,
		Message: args.fill(d.Text), Remedy: args.fill(remedy)}
}

// arrange returns the findings that are worth a word, worst first.
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

// Steady returns the finding without the figures in its words that change all
// the time.
func (f Finding) Steady() Finding {
	f.Message = f.state
	return f
}
