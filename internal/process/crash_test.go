// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

const crashEnv = "RDD_TEST_CRASH"

// TestCrashReason: the reason is the runtime's first line, for every kind of crash.
func TestCrashReason(t *testing.T) {
	if how := os.Getenv(crashEnv); how != "" {
		crash(how)
	}
	t.Parallel()
	for how, want := range map[string]string{
		"panic": "panic: out of reach",
		"nil":   "panic: runtime error: invalid memory address or nil pointer dereference",
		"stack": "fatal error: stack overflow",
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashReason$")
		cmd.Env = append(os.Environ(), crashEnv+"="+how)
		output, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("%s: it did not crash", how)
		}
		if got := process.CrashReason("time=x level=INFO msg=panicking\n" + string(output)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", how, got, want)
		}
	}
	if got := process.CrashReason("time=x msg=\"panic: not at the beginning\"\n"); got != "" {
		t.Errorf("no crash: %q", got)
	}
}

func crash(how string) {
	switch how {
	case "panic":
		panic("out of reach")
	case "nil":
		var p *int
		*p = 1
	case "stack":
		debug.SetMaxStack(1 << 20)
		if deeper(0) == 1 {
			return
		}
	}
}

func deeper(n int) int {
	if n < 0 {
		return 0
	}
	return deeper(n+1) + 1
}
