// SPDX-License-Identifier: Apache-2.0

package firstgc_test

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	_ "k8s.io/client-go/kubernetes/scheme" // allocates while it is initialised
	_ "k8s.io/kubernetes/pkg/features"     // the same

	_ "github.com/rancher-sandbox/rancher-desktop-daemon/internal/importorder/firstgc"
)

const patience = 10 * time.Second

// again tells the test's program to be the one that is looked at.
const again = "RDD_TEST_FIRSTGC"

// TestPostponed runs this program again: nothing is collected while it
// initialises, and after the first collection Go's default holds, or what was
// asked for.
func TestPostponed(t *testing.T) {
	switch os.Getenv(again) {
	case "restored":
		restored(t)
		return
	case "asked":
		if got := percent(); got != 50 {
			t.Errorf("GOGC=50 became %d", got)
		}
		return
	}
	for name, tt := range map[string][]string{"restored": {"GOGC="}, "asked": {"GOGC=50"}} {
		t.Run(name, func(t *testing.T) {
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestPostponed$")
			cmd.Env = append(append(os.Environ(), again+"="+name), tt...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, strings.TrimSpace(string(out)))
			}
		})
	}
}

func restored(t *testing.T) {
	var stats runtime.MemStats
	if runtime.ReadMemStats(&stats); stats.NumGC != 0 {
		t.Errorf("%d collections at %d bytes, want none", stats.NumGC, stats.TotalAlloc)
	}
	if got := percent(); got <= 100 {
		t.Errorf("%d per cent before the first collection", got)
	}
	runtime.GC()
	for end := time.Now().Add(patience); percent() != 100; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d per cent after the first collection, want 100", percent())
		}
	}
}

// percent returns how much the heap may grow.
func percent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
