// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-01T00:00:00Z","status":{"running":true,"sshLocalPort":60022}}`+"\n"+`{"status":{"running":true,"degraded":true,"errors":["x"]}}`+"\n"), uint8(20))
	f.Add([]byte(`{"status":{"portForward":{"type":"forwarding"}}}`+"\n"+`{"status":{"exiting":true}}`+"\n"+`{"status":7}`+"\nnull\n[]\n"), uint8(0))
	f.Add([]byte(`{"status":{"sshLocalPort":-1,"errors":[null]}}`), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, at uint8) {
		path := filepath.Join(t.TempDir(), "ha.stdout.log")
		cut := min(int(at), len(data))
		// Reading the file in two parts gives the same state as reading it whole.
		whole, parts := &Events{tail: tail{path: path}}, &Events{tail: tail{path: path}}
		defer whole.Close()
		defer parts.Close()
		write(t, path, data[:cut])
		if _, err := parts.State(); err != nil {
			t.Fatal(err)
		}
		write(t, path, data[cut:])
		first, err := whole.State()
		if err != nil {
			t.Fatal(err)
		}
		second, err := parts.State()
		if err != nil || !first.Equal(second) {
			t.Errorf("at once it is %+v, in two parts %+v (%v)", first, second, err)
		}
		if first.Ready && first.Exiting {
			t.Error("it is ready, and ends")
		}
	})
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = file.Write(data); err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzInstance(f *testing.F) {
	f.Add([]byte(`{"name":"rdd","status":"Running","sshLocalPort":60022,"config":{"portForwards":[{"guestSocket":"/run/docker.sock","hostSocket":"/h"},{"reverse":true}],"mounts":[{"location":"~"}]}}`))
	f.Add([]byte(`{"sshAddress":"::1","sshLocalPort":-1,"config":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var i Instance
		if json.Unmarshal(data, &i) != nil {
			t.Skip()
		}
		_ = i.SSHEndpoint()
		for _, socket := range i.Sockets() {
			if socket.Guest == "" || socket.Host == "" {
				t.Errorf("a socket without an end: %+v", socket)
			}
		}
	})
}

func FuzzErrors(f *testing.F) {
	f.Add([]byte("time=\"2026\" level=fatal msg=\"instance \\\"x\\\" does not exist\"\n"))
	f.Add([]byte("\x1b[31mFATA\x1b[0m\x00\xff"))
	f.Fuzz(func(t *testing.T, output []byte) {
		if text := quote(output); len(text) > 1<<12 && len(text) > 10*len(output) {
			t.Errorf("%d bytes make %d", len(output), len(text))
		}
		_ = classify(string(output))
	})
}
