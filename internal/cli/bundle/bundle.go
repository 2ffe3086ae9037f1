// SPDX-License-Identifier: Apache-2.0

// Package bundle collects what a bug report needs into a zip file: logs, status,
// versions, settings and objects, without secrets. It starts nothing.
package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/status"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/versions"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

const (
	fileMode = 0o600
	// maxLog is how much of the end of a log is taken, in bytes.
	maxLog = 4 << 20
	// maxSecrets limits the bytes of a file that is searched for secrets.
	maxSecrets = 1 << 20
)

// contentsFile lists the other files.
const contentsFile = "CONTENTS.txt"

// File is one file of a bundle.
type File struct {
	Name string `json:"name"`
	// About says what is in it.
	About string `json:"about"`
	Size  int    `json:"size"`
	data  []byte
}

// Bundle is what was collected.
type Bundle struct {
	Files []File
	// Missing says what could not be had.
	Missing []string

	redactor redactor
}

// Collect collects what there is about an instance.
func Collect(ctx context.Context, inst *instance.Instance, reader *status.Reader) *Bundle {
	b := &Bundle{}
	b.knowFiles(inst)
	objects := b.readObjects(ctx, inst) // first, as Secrets among them are to be known
	b.addJSON("versions.json", "versions of rdd, the daemon, engines and limactl", versions.Read(ctx, inst))
	if s, err := reader.Read(ctx); err != nil {
		b.Missing = append(b.Missing, "status: "+err.Error())
	} else {
		var screen bytes.Buffer
		_ = s.Print(&screen) // a buffer takes everything
		b.add("status.txt", "what `rdd status` shows", screen.String())
		b.addJSON("status.json", "the same as JSON", s)
	}
	if settings, err := inst.LoadSettings(); err == nil {
		b.addJSON("settings.json", "what `rdd service create` saved, without the datastore", settings)
	}
	b.add("environment.txt", "the system, and the names of RDD's variables that are set", environment())
	for _, object := range objects {
		b.add(object.Name, object.About, string(object.data))
	}
	b.addLogs(inst)
	b.Files = slices.Insert(b.Files, 0, File{Name: contentsFile, About: "this list", data: []byte(b.contents())})
	b.Files[0].Size = len(b.Files[0].data)
	return b
}

// knowFiles makes the secrets known that the instance has in files, and those that the
// environment has.
func (b *Bundle) knowFiles(inst *instance.Instance) {
	paths, _ := filepath.Glob(filepath.Join(inst.TLSDir(), "*"))
	for _, path := range append(paths, inst.ConfigFile()) {
		data, err := regular.Read(path, maxSecrets)
		if err != nil {
			continue
		}
		if path != inst.ConfigFile() {
			b.redactor.add(string(data))
			continue
		}
		for line := range strings.Lines(string(data)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if slices.Contains([]string{"token", "client-key-data", "client-certificate-data", "password"}, name) {
				b.redactor.add(value)
			}
		}
	}
	if data, err := regular.Read(inst.ArgsFile(), maxSecrets); err == nil {
		var saved map[string]any
		if json.Unmarshal(data, &saved) == nil {
			b.redactor.add(textsIn(saved["datastore"])...)
		}
	}
	for _, assignment := range os.Environ() {
		name, value, _ := strings.Cut(assignment, "=")
		if secretName.MatchString(name) {
			b.redactor.add(value)
		}
	}
}

// textsIn returns all texts in a value of JSON.
func textsIn(value any) (texts []string) {
	switch value := value.(type) {
	case string:
		texts = append(texts, value)
	case map[string]any:
		for _, inner := range value {
			texts = append(texts, textsIn(inner)...)
		}
	case []any:
		for _, inner := range value {
			texts = append(texts, textsIn(inner)...)
		}
	}
	return texts
}

func environment() string {
	text := fmt.Sprintf("%s/%s, %d processors\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	var names []string
	for _, assignment := range os.Environ() {
		if name, _, _ := strings.Cut(assignment, "="); strings.HasPrefix(name, "RDD_") || strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "XDG_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return text + "Variables: " + strings.Join(names, " ") + "\n"
}

// addLogs adds the ends of all logs of the daemon and of virtual machines.
func (b *Bundle) addLogs(inst *instance.Instance) {
	own, _ := filepath.Glob(filepath.Join(inst.LogDir(), "rdd.*.log*"))
	for _, path := range own {
		b.addLog("logs/"+filepath.Base(path), path)
	}
	machines, _ := filepath.Glob(filepath.Join(inst.LimaHome(), "*", "*.log"))
	for _, path := range machines {
		b.addLog("logs/vm-"+filepath.Base(filepath.Dir(path))+"-"+filepath.Base(path), path)
	}
}

func (b *Bundle) addLog(name, path string) {
	file, err := regular.Open(path)
	if err != nil {
		b.Missing = append(b.Missing, name+": "+err.Error())
		return
	}
	defer func() { _ = file.Close() }()
	about := "a log"
	if size, err := file.Seek(0, io.SeekEnd); err == nil && size > maxLog {
		about = fmt.Sprintf("the end of a log of %d bytes", size)
		_, err = file.Seek(-maxLog, io.SeekEnd)
		if err != nil {
			return
		}
	} else if _, err := file.Seek(0, io.SeekStart); err != nil {
		return
	}
	data, err := io.ReadAll(io.LimitReader(file, maxLog))
	if err != nil {
		b.Missing = append(b.Missing, name+": "+err.Error())
		return
	}
	if _, after, cut := bytes.Cut(data, []byte("\n")); cut && strings.HasPrefix(about, "the end") {
		data = after // half a line could hide what a secret looks like
	}
	b.add(name, about, string(data))
}

func (b *Bundle) addJSON(name, about string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		b.Missing = append(b.Missing, name+": "+err.Error())
		return
	}
	var tree any
	if json.Unmarshal(data, &tree) == nil {
		tree = prune(tree)
	}
	data, _ = json.MarshalIndent(tree, "", "  ") // it was one before
	b.add(name, about, string(data)+"\n")
}

func (b *Bundle) add(name, about, text string) {
	data := []byte(b.redactor.text(text))
	b.Files = append(b.Files, File{Name: name, About: about, Size: len(data), data: data})
}

// contents lists the files for the user who sends them.
func (b *Bundle) contents() string {
	var text strings.Builder
	fmt.Fprintf(&text, "Collected by `rdd diagnose` at %s. Secrets are replaced by %s.\n\n", time.Now().UTC().Format(time.RFC3339), hidden)
	for _, file := range b.Files {
		fmt.Fprintf(&text, "%-48s %9d  %s\n", file.Name, file.Size, file.About)
	}
	for _, missing := range b.Missing {
		fmt.Fprintf(&text, "missing: %s\n", b.redactor.text(missing))
	}
	return text.String()
}

// Write writes the zip file, which only the user can read.
func (b *Bundle) Write(path string) error {
	var data bytes.Buffer
	archive := zip.NewWriter(&data)
	for _, file := range b.Files {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: file.Name, Method: zip.Deflate, Modified: time.Now()})
		if err == nil {
			_, err = w.Write(file.data)
		}
		if err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return atomicfile.Write(path, data.Bytes(), fileMode)
}
