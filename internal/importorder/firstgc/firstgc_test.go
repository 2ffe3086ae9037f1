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

// again selects the case in the child process of the test.
const again = "RDD_TEST_FIRSTGC"

// TestPostponed runs this program again: there is no collection during its
// initialisation, and after the first collection Go's default or GOGC applies.
func TestPostponed(t *testing.T) {
	switch os.Getenv(again) {
	case "restored":
		restored(t)
		return
	case "environment":
		if got := percent(); got != 50 {
			t.Errorf("GOGC=50 became %d", got)
		}
		return
	}
	for name, tt := range map[string][]string{"restored": {"GOGC="}, "environment": {"GOGC=50"}} {
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

// percent returns the limit of the heap's growth.
func percent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
