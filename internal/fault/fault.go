// SPDX-License-Identifier: Apache-2.0

// Package fault is the error type of rdd's commands. A fault has a kind, which alone
// decides the exit code of the process.
package fault

import (
	"context"
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Kind classifies an error.
type Kind int

// The kinds, in the order of their exit codes.
const (
	Failed   Kind = iota // anything that has no kind of its own
	Usage                // the command line, or a name in it, is wrong
	Refused              // the API server rejected the request: admission, invalid, forbidden
	Deadline             // the deadline of a wait passed
	Version              // the running daemon is another version of rdd
)

// Prefix of the last line of every failed command.
const Prefix = "Error: "

// Exit codes of every rdd command.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitRefused  = 3
	ExitDeadline = 4
	ExitVersion  = 5
)

var exitCodes = map[Kind]int{
	Failed:   ExitFailed,
	Usage:    ExitUsage,
	Refused:  ExitRefused,
	Deadline: ExitDeadline,
	Version:  ExitVersion,
}

// Error is a failed operation.
type Error struct {
	Kind    Kind
	Op      string // the operation: "start the service"
	Subject string // of the operation: an instance's name, a path; may be empty
	Err     error  // the reason
}

// New returns an Error. Op and subject may be empty.
func New(kind Kind, op, subject string, err error) *Error {
	return &Error{Kind: kind, Op: op, Subject: subject, Err: err}
}

// Error returns "op subject: reason".
func (e *Error) Error() string {
	var parts []string
	if head := strings.TrimSpace(e.Op + " " + e.Subject); head != "" {
		parts = append(parts, head)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: that of the outermost [*Error] in its chain with a
// kind, else that of the API server's status or a context's deadline, else [Failed].
func KindOf(err error) Kind {
	for inner := err; inner != nil; {
		var e *Error
		if !errors.As(inner, &e) {
			break
		}
		if e.Kind != Failed {
			return e.Kind
		}
		inner = e.Err
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && RefusedStatus(int(status.Status().Code)) {
		return Refused
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Deadline
	}
	return Failed
}

// RefusedStatus reports whether an HTTP status means that the API server understood and
// rejected a request: bad request (a strict decoding error), forbidden, or invalid (a
// schema or a CEL rule).
func RefusedStatus(code int) bool {
	switch code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// ExitCode returns the exit code for err; 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	return exitCodes[KindOf(err)]
}
