// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
)

// TestClockWasSet: of a certificate that is not valid at the time the remedy speaks of
// the clock, and says what makes a new one.
func TestClockWasSet(t *testing.T) {
	failure := fmt.Errorf("ask the daemon: %w", x509.CertificateInvalidError{Reason: x509.Expired, Detail: "is not yet valid"})
	found := Known().Diagnose(Observed{Command: "rdd --instance x", Daemon: &Daemon{Instance: "x", PID: 1, Failure: failure}})
	if len(found) != 1 || found[0].Code != DaemonNotAnswering.Code {
		t.Fatalf("%+v", found)
	}
	for _, word := range []string{"clock", "`date`", "`rdd --instance x service stop`", "`rdd --instance x service start`"} {
		if !strings.Contains(found[0].Remedy, word) {
			t.Errorf("the remedy does not say %q: %s", word, found[0].Remedy)
		}
	}
}
