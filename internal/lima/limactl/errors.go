// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"errors"
	"strings"
)

// Kind classifies errors by what to do about them.
type Kind int

// The kinds of errors.
const (
	// Failed is a failure that only limactl's text describes.
	Failed Kind = iota
	// Missing: limactl was not found.
	Missing
	// TooOld: limactl is older than [MinVersion].
	TooOld
	// Root: limactl refuses to run as root.
	Root
	// NoKVM: the user has no access to KVM, or KVM does not work.
	NoKVM
	// NoInstance: the instance does not exist.
	NoInstance
	// Invalid: limactl rejects a template.
	Invalid
	// NoImage: the images that a template names do not exist.
	NoImage
	// TimedOut: limactl, or what it waited for, took too long.
	TimedOut
)

// remedy returns what to do about an error of the kind.
func (k Kind) remedy() string {
	switch k {
	case TooOld:
		return "install Lima " + MinVersion + " or newer, or name a newer limactl in " + Env
	case Root:
		return "run rdd as the user whose virtual machine it is, not as root"
	case NoKVM:
		return "give the user access to /dev/kvm (usually: join the group kvm and log in again), and turn virtualization on in the firmware"
	}
	return ""
}

// Error is a failed limactl command.
type Error struct {
	// Op is the subcommand, as in `create`; empty if limactl was not run.
	Op   string
	Kind Kind
	// Message is limactl's error message, or another reason.
	Message string
}

// Error implements error: the operation, the reason, and the remedy.
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

// KindOf returns the kind of an error, [Failed] if it is not limactl's.
func KindOf(err error) Kind {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

// Unusable reports whether limactl can't be run at all, until the user changes the
// machine.
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

// classify returns the kind for a message of limactl, as Lima 2.2 words them.
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

// noImage reports whether none of the images that Lima tried exists. An image whose
// download broke may be complete after the next attempt.
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
