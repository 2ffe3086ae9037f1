// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Command fakelimactl stands in for limactl in tests: it has the commands that
// RDD uses, and behaves as docs/design/limactl.md records of Lima 2.2, with
// processes that can be killed, but with no virtual machine, and faster.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

func main() {
	c := &command{home: os.Getenv("LIMA_HOME")}
	if len(os.Args) > 2 && os.Args[1] == "shell" {
		runShell(c.home, os.Args[2:])
	}
	c.faults = stage.Read(c.home)
	for _, arg := range os.Args[1:] {
		switch {
		case arg == "--log-format" || arg == "json" || arg == "--tty=false":
		case strings.HasPrefix(arg, "-"):
			c.flags = append(c.flags, arg)
		default:
			c.args = append(c.args, arg)
		}
	}
	c.run()
}

// command is one run.
type command struct {
	home   string
	faults stage.Faults
	flags  []string
	args   []string
}

func (c *command) run() {
	if c.has("--version") {
		fmt.Println("limactl version 2.2.0")
		return
	}
	if c.faults.Root {
		fatal("must not run as the root user")
	}
	switch c.args[0] {
	case "validate":
		c.validate(c.args[1])
		return
	case "list":
		c.list()
		return
	case "agent":
		runAgent(c.instance())
		return
	case "driver":
		runDriver(c.instance())
		return
	}
	words := append([]string{c.args[0]}, c.flags...)
	if name := c.args[len(c.args)-1]; c.args[0] != "create" {
		words = append(words, name)
	}
	if c.args[0] == "edit" {
		words = []string{"edit", c.args[len(c.args)-1]}
	}
	if strings.HasPrefix(c.home, os.TempDir()+"/rdd-lima-") {
		words = nil // a rehearsal
	}
	if words != nil {
		check(stage.Note(c.home, words...))
	}
	switch c.args[0] {
	case "create":
		c.create()
	case "start":
		c.start()
	case "stop":
		c.stop()
	case "delete":
		c.delete()
	case "edit":
		c.edit()
	default:
		fatal("unknown command " + c.args[0])
	}
}

func (c *command) has(flag string) bool {
	_, ok := c.value(flag)
	return ok
}

func (c *command) value(flag string) (string, bool) {
	for _, f := range c.flags {
		if name, value, _ := strings.Cut(f, "="); name == flag {
			return value, true
		}
	}
	return "", false
}

func (c *command) instance() instance {
	name := c.args[len(c.args)-1]
	return instance{name: name, dir: filepath.Join(c.home, name), home: c.home}
}

func say(level, message string) {
	text, _ := json.Marshal(map[string]string{"level": level, "msg": message, "time": time.Now().Format(time.RFC3339)})
	_, _ = fmt.Fprintln(os.Stderr, string(text))
}

func fatal(message string) {
	say("fatal", message)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fatal(err.Error())
	}
}

func (c *command) validate(file string) {
	if c.faults.ValidateMS > 0 {
		check(stage.Note(c.home, stage.ValidateBegins))
		for ms := 0; ms < c.faults.ValidateMS; ms += 100 {
			pass(100)
			_, err := os.Stat(file)
			check(err) // rdd has removed it: the answer is of no use
		}
		check(stage.Note(c.home, stage.ValidateEnds))
	}
	data, err := os.ReadFile(file)
	check(err)
	var parsed map[string]any
	if err := yaml.Unmarshal(data, &parsed); err != nil {
		fatal("failed to unmarshal YAML (" + file + "): " + err.Error())
	}
	if strings.Contains(string(data), stage.Rejected) {
		fatal("field `images` must be set")
	}
	say("info", "`"+file+"`: OK")
}

func (c *command) create() {
	name, _ := c.value("--name")
	c.args = append(c.args, name)
	i := c.instance()
	if i.exists() {
		fatal("instance `" + name + "` already exists")
	}
	data, err := os.ReadFile(c.args[1])
	check(err)
	check(os.Mkdir(i.dir, 0o700))
	check(os.WriteFile(i.file("lima.yaml"), data, 0o600))
	check(os.WriteFile(i.file("lima-version"), []byte("2.2.0"), 0o600))
	say("info", "Attempting to download the image")
	pass(c.faults.CreateMS)
	if c.faults.CreateFails != "" {
		fatal(c.faults.CreateFails)
	}
	check(os.WriteFile(i.file("disk"), []byte("disk"), 0o600))
}

func (c *command) edit() {
	i := c.instance()
	if !i.exists() {
		fatal("open " + i.file("lima.yaml") + ": no such file or directory")
	}
	if i.status() == "Running" {
		fatal("cannot edit a running instance")
	}
	_, encoded, _ := strings.Cut(c.args[1], `"`)
	encoded, _, _ = strings.Cut(encoded, `"`)
	data, err := base64.StdEncoding.DecodeString(encoded)
	check(err)
	if strings.Contains(string(data), stage.RejectedNow) {
		check(os.WriteFile("lima.REJECTED.yaml", data, 0o600))
		fatal("the YAML is invalid, saved the buffer as `lima.REJECTED.yaml`: field `disk`: shrinking the disk (2GiB --> 1GiB) is not supported")
	}
	check(os.WriteFile(i.file("lima.yaml"), data, 0o600))
}

func (c *command) list() {
	if c.has("--quiet") {
		return
	}
	i := c.instance()
	if !i.exists() {
		say("warning", "No instance matching "+i.name+" found.")
		fatal("unmatched instances")
	}
	text, err := json.Marshal(i.describe())
	check(err)
	fmt.Println(string(text))
}

func (c *command) delete() {
	i := c.instance()
	if !i.exists() {
		say("warning", "Ignoring non-existent instance `"+i.name+"`")
		return
	}
	if c.faults.DeleteFails != "" {
		fatal(c.faults.DeleteFails)
	}
	if i.status() != "Stopped" && !c.has("-f") {
		fatal("expected status `Stopped`, got `" + i.status() + "`")
	}
	i.kill()
	check(os.RemoveAll(i.dir))
}

// pass lets time pass.
func pass(milliseconds int) { time.Sleep(time.Duration(milliseconds) * time.Millisecond) }
