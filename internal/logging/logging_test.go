// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
)

// The redirection is once per process.
var (
	out    bytes.Buffer
	level  slog.LevelVar
	ending bool
	log    = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: &level}))
)

func TestMain(m *testing.M) {
	logging.Capture(log, func() bool { return ending }, func(reason string) { panic(reason) })
	os.Exit(m.Run())
}

// TestLibraries: libraries' information is logged at level debug, and so are their
// errors during shutdown or after a client's disconnect; the program's own errors stay
// errors.
func TestLibraries(t *testing.T) {
	failure := errors.New("context canceled")
	abandoned, giveUp := context.WithCancel(t.Context())
	giveUp()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, test := range []struct {
		name   string
		level  slog.Level
		ending bool
		want   string
	}{
		{"running", slog.LevelWarn, false, "ERROR klog, ERROR controller, ERROR kine, WARN warning, ERROR late, ERROR own"},
		{
			"running in detail", slog.LevelDebug, false,
			"DEBUG information, ERROR klog, ERROR controller, ERROR kine, WARN warning, DEBUG abandoned, DEBUG unwritten, ERROR late, ERROR own",
		},
		{"ending", slog.LevelWarn, true, "ERROR own"},
		{
			"ending in detail", slog.LevelDebug, true,
			"DEBUG information, DEBUG klog, DEBUG controller, DEBUG kine, DEBUG warning, DEBUG abandoned, DEBUG unwritten, DEBUG late, ERROR own",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			out.Reset()
			level.Set(test.level)
			ending = test.ending
			klog.InfoS("information")
			klog.ErrorS(failure, "klog")
			ctrllog.Log.WithName("app").Error(failure, "controller")
			logrus.Error("kine")
			logrus.Warn("warning")
			utilruntime.HandleErrorWithContext(abandoned, nil, "abandoned")
			utilruntime.HandleErrorWithContext(t.Context(), fmt.Errorf("write: %v", http.ErrHandlerTimeout), "unwritten") //nolint:errorlint // as the API server does
			utilruntime.HandleErrorWithContext(late, nil, "late")
			log.Error("own")

			var got []string
			for _, found := range line.FindAllStringSubmatch(out.String(), -1) {
				got = append(got, found[1]+" "+found[2])
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("logged %s; want %s", got, test.want)
			}
		})
	}
}

var line = regexp.MustCompile(`level=(\w+) msg=(\w+)`)

// TestALibraryGivesUp: the reason is the library's message.
func TestALibraryGivesUp(t *testing.T) {
	defer func() {
		if reason := fmt.Sprint(recover()); !strings.Contains(reason, "PostStartHook failed: disk full") {
			t.Errorf("the reason is %q", reason)
		}
	}()
	level.Set(slog.LevelWarn)
	klog.Fatalf("PostStartHook failed: %v", errors.New("disk full"))
}
