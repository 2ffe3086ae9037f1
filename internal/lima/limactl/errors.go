// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"errors"
	"strings"
)

// Kind is what is wrong, as far as that decides what to do about it.
type Kind int

// The kinds of errors.
const (
	// Failed is a failure that limactl only describes in text.
	Failed Kind = iota
	// Missing: there is no limactl.
	Missing
	// TooOld: limactl is older than [MinVersion].
	TooOld
	// Root: limactl refuses to run as root.
	Root
	// NoKVM: the user may not use KVM, or KVM does not work.
	NoKVM
	// NoInstance: there is no such instance.
	NoInstance
	// Invalid: limactl rejects a template.
	Invalid
	// NoImage: the images that a template names do not exist.
	NoImage
	// TimedOut: limactl, or what it was to bring about, took too long.
	TimedOut
)

// remedies say what to do about kinds.
func (k Kind) remedy() string {
	switch k {
	case TooOld:
		return "install Lima " + MinVersion + " or newer, or name another limactl in " + Env
	case Root:
		return "run rdd as the user whose virtual machine it is, not as root"
	case NoKVM:
		return "give the user access to /dev/kvm (as a rule: join the group kvm and log in again), and turn virtualization on in the firmware"
	}
	return ""
}

// Error is a command of limactl's that failed.
type Error struct {
	// Op is what was being done, as in `create`; empty before limactl was run.
	Op   string
	Kind Kind
	// Message is what limactl said last, or what is known otherwise.
	Message string
}

// Error implements error: what was done, why it failed, and what to do about it.
func (e *Error) Error() string {
	text := e.Message
	if e.Op != "" {
		text = "limactl " + e.Op + ": " + text
	}
	if remedy := e.Kind.remedy(); remedy != "" {
		text += ": " + remedy
	}
	return text
}

// KindOf returns the kind of an error, [Failed] for one that is not limactl's.
func KindOf(err error) Kind {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

// Unusable reports whether limactl can't be run at all, until the user changes
// the machine.
func Unusable(err error) bool {
	switch KindOf(err) {
	case Missing, TooOld, Root:
		return true
	}
	return false
}

// Permanent reports whether the same attempt fails again until the user changes the
// machine, the template or what the template names.
func Permanent(err error) bool {
	switch KindOf(err) {
	case NoKVM, Invalid, NoImage:
		return true
	}
	return Unusable(err)
}

// classify tells the kind by limactl's words, which are those of Lima 2.2.
func classify(message string) Kind {
	if noImage(message) {
		return NoImage
	}
	for words, kind := range map[string]Kind{
		"must not run as the root": Root,
		"unmatched instances":      NoInstance,
		"KVM":                      NoKVM,
		"the YAML is invalid":      Invalid,
	} {
		if strings.Contains(message, words) {
			return kind
		}
	}
	return Failed
}

// noImage reports whether Lima found none of the images that it looked for. An image
// whose download broke may be found by the next attempt.
func noImage(message string) bool {
	missing := 0
	for _, words := range []string{
		"HTTP status Not Found", "HTTP status Gone", // of httpclientutil.HTTPStatusError
		"no such file or directory", "The system cannot find the file", "The system cannot find the path",
	} {
		missing += strings.Count(message, words)
	}
	sought := strings.Count(message, "failed to download")
	return sought > 0 && missing >= sought
}
