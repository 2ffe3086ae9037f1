// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"
)

// odd is a service whose words have every character that a format has a meaning for.
func odd(t *testing.T, when When) Service {
	t.Helper()
	program := filepath.Join(t.TempDir(), `a "b" 50% $x <&> it's`, "rdd")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Service{Instance: "work", Executable: program, When: when, Log: "/tmp/x & y", Environment: []string{`PATH=/a b:/c%d$e"`, "RDD_LOG_DIR=/x"}}
}

// TestUnit: systemd finds nothing wrong with a unit.
func TestUnit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of Linux")
	}
	for _, when := range []When{Login, Boot} {
		s := odd(t, when)
		unit := filepath.Join(t.TempDir(), unitName("work"))
		if err := os.WriteFile(unit, []byte(s.unit()), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readUnit(unit, s.unit()); got.At != when || got.Executable != s.Executable {
			t.Errorf("%+v is read of\n%s", got, s.unit())
		}
		if _, err := exec.LookPath("systemd-analyze"); err != nil {
			continue
		}
		cmd := exec.Command("systemd-analyze", "verify", "--user", "--man=no", unit)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), unitName("work")+":") || err != nil && strings.Contains(string(out), unit) {
			t.Errorf("%v: %s\n%s", err, out, s.unit())
		}
	}
}

// TestAgent: the property list is XML in which every key has a value.
func TestAgent(t *testing.T) {
	s := odd(t, Login)
	data := s.agent()
	if got := readAgent("x", data); got.Executable != s.Executable || got.At != Login {
		t.Errorf("%+v is read of\n%s", got, data)
	}
	decoder, depth, names := xml.NewDecoder(strings.NewReader(string(data))), 0, []string{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth++; depth == 3 {
				names = append(names, token.Name.Local)
			}
		case xml.EndElement:
			depth--
		}
	}
	for i, name := range names {
		if (name == "key") != (i%2 == 0) {
			t.Errorf("key and value don't alternate: %v", names)
			break
		}
	}
	for _, word := range []string{"<string>io.rancherdesktop.rdd.work</string>", "<string>serve</string>", "<key>RDD_LOG_DIR</key>"} {
		if !strings.Contains(string(data), word) {
			t.Errorf("%q is missing in\n%s", word, data)
		}
	}
	if program, err := exec.LookPath("plutil"); err == nil {
		cmd := exec.Command(program, "-lint", "-")
		cmd.Stdin = strings.NewReader(string(data))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestTask: the task is read back, in the order of the schema, with one trigger.
func TestTask(t *testing.T) {
	for when, words := range map[When][]string{
		Login: {"<LogonTrigger>", "InteractiveToken"},
		Boot:  {"<BootTrigger>", "S4U"},
	} {
		s := odd(t, when)
		data, err := s.taskXML(`HOST\user`)
		if err != nil {
			t.Fatal(err)
		}
		if got := readTask("x", data); got.At != when || got.Executable != s.Executable {
			t.Errorf("%s: %+v", when, got)
		}
		var units []uint16
		for i := 2; i < len(data); i += 2 {
			units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
		}
		text, last := string(utf16.Decode(units)), -1
		for _, element := range []string{"<RegistrationInfo>", "<Triggers>", "<Principals>", "<Settings>", "<Actions "} {
			at := strings.Index(text, element)
			if at <= last {
				t.Errorf("%s is not where the schema wants it:\n%s", element, text)
			}
			last = at
		}
		for _, word := range append(words, "--instance work service start", `HOST\user`) {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q is missing in\n%s", when, word, text)
			}
		}
		if strings.Count(text, "Trigger>") != 2 {
			t.Errorf("%s: not one trigger:\n%s", when, text)
		}
	}
}
