// SPDX-License-Identifier: Apache-2.0

package command

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
)

// Timeout adds the flag --timeout, how long a command waits; *p is the default. 0 does
// not wait; a negative value is rejected.
func Timeout(flags *pflag.FlagSet, p *time.Duration, usage string) {
	flags.Var((*wait)(p), "timeout", usage)
}

// wait is the [pflag.Value] of a timeout.
type wait time.Duration

// Set implements [pflag.Value].
func (w *wait) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("must be a number with a unit, as in 90s or 5m")
	}
	if parsed < 0 {
		return errors.New("must not be negative")
	}
	*w = wait(parsed)
	return nil
}

// String implements [pflag.Value].
func (w *wait) String() string { return time.Duration(*w).String() }

// Type implements [pflag.Value].
func (w *wait) Type() string { return "duration" }
