// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"errors"
	"testing"
)

// TestSame: parts that vary between attempts don't make a message a new one;
// significant parts do.
func TestSame(t *testing.T) {
	for _, same := range [][2]string{
		{"open /home/u/.docker/.config.json.1293847: permission denied", "open /home/u/.docker/.config.json.8390001: permission denied"},
		{"open /h/.tmp-meta.json2938471: no space left on device", "open /h/.tmp-meta.json817263544: no space left on device"},
		{"mkdir /tmp/tmp.aXbYcZ: no space left on device", "mkdir /tmp/tmp.QwErTy: no space left on device"},
		{"read tcp 127.0.0.1:41234->127.0.0.1:2376: connection reset by peer", "read tcp 127.0.0.1:53210->127.0.0.1:2376: connection reset by peer"},
		{"read tcp [::1]:41234->[::1]:2376: i/o timeout", "read tcp [::1]:999->[::1]:2376: i/o timeout"},
		{"lookup engine on 127.0.0.53:53: read udp 127.0.0.1:40001->127.0.0.53:53: i/o timeout", "lookup engine on 127.0.0.53:53: read udp 127.0.0.1:50002->127.0.0.53:53: i/o timeout"},
		{"no answer within 5s; next try in 1.2s", "no answer within 5s; next try in 1m30s"},
		{"process 12 holds it", "process 4711 holds it"},
		{"the lock is held (pid=7)", "the lock is held (pid=31999)"},
		{"runtime error at 0xc000123abc", "runtime error at 0xc00098"},
		{"2026-01-02T03:04:05.678Z refused", "2026-11-12T13:14:15Z refused"},
		{`time="2026-01-02 03:04:05" level=fatal msg="it failed"`, `time="2026-01-02 03:04:59" level=fatal msg="it failed"`},
		{"denied (request id: 6f1e2a4b-1111-2222-3333-444455556666)", "denied (request id: 0f1e2a4b-9111-2222-3333-444455556666)"},
		{"throttled, RequestId=ZK3V9QW1T0AB2C4D", "throttled, RequestId=PQ8A1B2C3D4E5F6G"},
		{"container 4f5e6d7c8b9a is in use", "container 0123456789ab is in use"},
		{"attempt 3 failed", "attempt 4 failed"},
	} {
		if !Same(same[0], same[1]) {
			t.Errorf("%q and %q are distinguished: %q, %q", same[0], same[1], constant(same[0]), constant(same[1]))
		}
	}
	for _, other := range [][2]string{
		{"the registry answers 401", "the registry answers 503"},
		{"exit code 1", "exit code 2"},
		{"connected; 2 problems", "connected; 3 problems"},
		{"dial tcp 10.0.0.1:22: connection refused", "dial tcp 10.0.0.2:22: connection refused"},
		{"open /data/volume10: permission denied", "open /data/volume11: permission denied"},
		{"open /data: permission denied", "open /data: no space left on device"},
		{"temporary failure in name resolution", "template is invalid"},
	} {
		if Same(other[0], other[1]) {
			t.Errorf("%q and %q are not distinguished", other[0], other[1])
		}
	}
}

// TestReported: each subject's failure is new once, until the subject recovers.
func TestReported(t *testing.T) {
	var reported Reported
	for _, step := range []struct {
		subject, message string
		changed          bool
	}{
		{"a", "open .x.1234567: denied", true}, {"a", "open .x.7654321: denied", false}, {"b", "open .x.1234567: denied", true},
		{"a", "no space", true}, {"a", "open .x.1234567: denied", true},
	} {
		if got := reported.Changed(step.subject, errors.New(step.message)); got != step.changed {
			t.Errorf("%+v: %v", step, got)
		}
	}
	reported.Clear("a")
	if !reported.Changed("a", errors.New("open .x.1234567: denied")) {
		t.Error("a failure after a recovery is not new")
	}
}
