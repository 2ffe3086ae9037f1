// SPDX-License-Identifier: Apache-2.0

package service

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// TestFailedStart: the state file has the reason why a daemon ended, whatever its log says.
func TestFailedStart(t *testing.T) {
	const crash = "fatal error: all is lost\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:8 +0x1d\nexit status 2\n"
	const early = "stopped before it was ready"
	me := os.Getpid()
	for name, test := range map[string]struct {
		failure *instance.Failure // that a daemon, this process, wrote; nil for none
		nothing bool              // it wrote nothing at all
		log     string
		last    instance.Daemon
		lived   bool
		stopped bool   // is the error ErrStopped
		says    string // else
	}{
		"a failure":                   {failure: &instance.Failure{Kind: instance.Failed, Message: "the disk burns"}, log: "Error: another\n", last: instance.Daemon{PID: me}, says: "the disk burns (log: "},
		"a failure in those words":    {failure: &instance.Failure{Kind: instance.Failed, Message: early}, last: instance.Daemon{PID: me}, lived: true, says: early + " (log: "},
		"a stop":                      {failure: &instance.Failure{Kind: instance.StoppedEarly}, log: "Error: another\n", last: instance.Daemon{PID: me}, lived: true, stopped: true},
		"a stop that was announced":   {last: instance.Daemon{PID: me, Stopping: true}, log: "panic: cut short\n", lived: true, stopped: true},
		"another daemon in its place": {failure: &instance.Failure{Kind: instance.Failed, Message: "the other's"}, last: instance.Daemon{PID: me + 1}, lived: true, stopped: true},
		"its state file was removed":  {nothing: true, last: instance.Daemon{PID: me}, lived: true, stopped: true},
		"log in those words":          {log: "time=x msg=\"" + early + "\"\n", last: instance.Daemon{PID: me}, lived: true, says: early},
		"a crash":                     {log: "time=x msg=y\n" + crash, last: instance.Daemon{PID: me}, lived: true, says: "fatal error: all is lost (log: "},
		"a start that never began":    {nothing: true, log: "Error: no such flag\n", last: instance.Daemon{PID: me}, says: ": no such flag (log: "},
		"silence":                     {last: instance.Daemon{PID: me}, lived: true, says: "it exited without an error message"},
	} {
		t.Run(name, func(t *testing.T) {
			inst, err := instance.In("x", t.TempDir(), func(string) string { return "" })
			must(t, err)
			must(t, inst.MakeDirs())
			must(t, inst.SaveSettings(DefaultSettings()))
			lock, err := inst.LockDaemon(t.Context())
			must(t, err)
			if !test.nothing {
				must(t, inst.Announce(instance.Daemon{}))
			}
			if test.failure != nil {
				must(t, inst.Fail(*test.failure))
			}
			lock.Unlock()
			must(t, os.WriteFile(inst.StderrLog(), []byte(test.log), 0o600))
			got := (&Service{Instance: inst}).failedStart(&test.last, test.lived)
			if errors.Is(got, ErrStopped) != test.stopped || !strings.Contains(got.Error(), test.says) {
				t.Errorf("%v", got)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
