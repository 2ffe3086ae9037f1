// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/types/task"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestLogOf: where a container's output is, and that it is not kept if
// nothing keeps it.
func TestLogOf(t *testing.T) {
	for name, test := range map[string]struct {
		container *containersapi.Container
		process   *task.Process
		path      string
		words     string // of the refusal
	}{
		"nerdctl":              {&containersapi.Container{ID: "c", Labels: map[string]string{"nerdctl/state-dir": "/s"}}, nil, "/s/c-json.log", ""},
		"of a pod":             {&containersapi.Container{ID: "c", Labels: map[string]string{criKind: "container"}, Extensions: map[string]*anypb.Any{criMetadata: {Value: []byte(`{"Metadata":{"LogPath":"/l"}}`)}}}, nil, "/l", ""},
		"a file":               {&containersapi.Container{ID: "c"}, &task.Process{Stdout: "file:///f"}, "/f", ""},
		"a file for restarts":  {&containersapi.Container{ID: "c", Labels: map[string]string{restartLogURILabel: "file:///r"}}, nil, "/r", ""},
		"a client's pipe":      {&containersapi.Container{ID: "c"}, &task.Process{Stdout: "/run/containerd/fifo/1/c-stdout"}, "", "goes to the client that started it"},
		"nowhere":              {&containersapi.Container{ID: "c"}, &task.Process{}, "", "there is no log"},
		"a program":            {&containersapi.Container{ID: "c"}, &task.Process{Stdout: "binary:///bin/log"}, "", "goes to the client that started it"},
		"nothing, and no task": {&containersapi.Container{ID: "c"}, nil, "", "goes to the client that started it"},
	} {
		got, err := logOf(test.container, test.process)
		if got.path != test.path || (err == nil) != (test.path != "") || err != nil && !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %q, %v", name, got.path, err)
		}
	}
}

func TestDecodeLogs(t *testing.T) {
	for name, test := range map[string]struct {
		parse func([]byte) (logEntry, bool)
		file  string
		want  string
	}{
		"json": {parseJSONLog, `{"log":"out\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}` + "\nno json\n" + `{"log":"half","stream":"stderr"}` + "\n", "out\nhalf"},
		"cri":  {parseCRILog, "2026-01-01T00:00:00Z stdout P one \n2026-01-01T00:00:00Z stdout F line\n2026-01-01T00:00:00Z stderr F  two\nbroken\n", "one line\n two\n"},
		"raw":  {nil, "as\x00it\xffis\n", "as\x00it\xffis\n"},
	} {
		var got strings.Builder
		// A line may come in two parts.
		reader, writer := io.Pipe()
		go func() {
			_, _ = io.WriteString(writer, test.file[:5])
			_, _ = io.WriteString(writer, test.file[5:])
			_ = writer.Close()
		}()
		if err := (&decoder{from: bufio.NewReader(reader), parse: test.parse, to: &got}).drain(); err != nil || got.String() != test.want {
			t.Errorf("%s: %q, %v", name, got.String(), err)
		}
	}
}

func TestSeekLines(t *testing.T) {
	long := strings.Repeat("x", 100<<10) // more than a block
	for _, test := range []struct {
		file  string
		lines int
		want  string
	}{
		{"a\nb\nc\n", -1, "a\nb\nc\n"}, {"a\nb\nc\n", 0, ""}, {"a\nb\nc\n", 1, "c\n"}, {"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\nc\n", 3, "a\nb\nc\n"},
		{"a\nb\nc\n", 9, "a\nb\nc\n"}, {"a\nb\nc", 1, "c"}, {"a\nb\nc", 2, "b\nc"}, {"", 1, ""}, {"\n\n", 1, "\n"}, {"a\n" + long + "\nc\n", 2, long + "\nc\n"},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := seekLines(file, test.lines); err != nil {
			t.Error(err)
		}
		got, err := io.ReadAll(file)
		if err != nil || string(got) != test.want {
			t.Errorf("the last %d lines of %.20q are %.20q, %v", test.lines, test.file, got, err)
		}
		_ = file.Close()
	}
}

// TestSeekEntries: the last lines of a file of entries are lines, of how many
// entries each may be, and whatever the other stream writes between them.
func TestSeekEntries(t *testing.T) {
	cri := func(entries string) string { // such as: oPa oFb eFc, for stdout and stderr
		var file strings.Builder
		for _, entry := range strings.Fields(entries) {
			stream := map[byte]string{'o': "stdout", 'e': "stderr"}[entry[0]]
			file.WriteString("2026-01-01T00:00:00Z " + stream + " " + entry[1:2] + " " + entry[2:] + "\n")
		}
		return file.String()
	}
	long := strings.Repeat("x", 16<<10)
	many := strings.Repeat("oP"+long+" ", 10)
	for _, test := range []struct {
		file  string
		parse func([]byte) (logEntry, bool)
		lines int
		want  string
	}{
		{cri("oFa oPb oPc oFd oPe oFf"), parseCRILog, 2, "bcd\nef\n"},
		{cri("oFa oPb oPc oFd oPe oFf"), parseCRILog, 1, "ef\n"},
		{cri("oFa oPb oPc oFd oPe oFf"), parseCRILog, 9, "a\nbcd\nef\n"},
		{cri("oFa oPb oPc oFd oPe oFf"), parseCRILog, -1, "a\nbcd\nef\n"},
		{cri("oFa oPb oPc oFd oPe oFf"), parseCRILog, 0, ""},
		{cri("oFa oPb eFx oFc"), parseCRILog, 1, "bc\n"},
		{cri("oFa oPb eFx oFc"), parseCRILog, 2, "bx\nc\n"},
		{cri("ePy oFa oPb eFx oFc eFz"), parseCRILog, 2, "bc\nz\n"},
		{cri("oFa oPb"), parseCRILog, 1, "b"},
		{cri("oFa oPb ePc"), parseCRILog, 2, "bc"},
		{cri("oFa " + many + "oFb oFc"), parseCRILog, 2, strings.Repeat(long, 10) + "b\nc\n"},
		{`{"log":"a\n","stream":"stdout"}` + "\n" + `{"log":"b","stream":"stdout"}` + "\n" + `{"log":"c\n","stream":"stdout"}` + "\n", parseJSONLog, 1, "bc\n"},
		{"no entry\n" + cri("oFa") + "no entry\n", parseCRILog, 1, "a\n"},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		d := &decoder{parse: test.parse, to: &got}
		if err := d.start(file, test.lines); err != nil {
			t.Error(err)
		}
		if err := d.drain(); err != nil || got.String() != test.want {
			t.Errorf("the last %d lines of %.200q are %.100q, want %.100q: %v", test.lines, test.file, got.String(), test.want, err)
		}
		_ = file.Close()
	}
}
