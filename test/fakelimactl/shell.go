// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"

	"sigs.k8s.io/yaml"
)

// workdirEnv tells a command in which directory of the guest it was to begin.
const workdirEnv = "FAKE_WORKDIR"

// runShell runs a command as if it were in the guest: here, as there is none.
func runShell(home string, args []string) {
	workdir := ""
	if len(args) > 1 && args[0] == "--workdir" {
		workdir, args = args[1], args[2:]
	}
	i := (&command{home: home, args: args[:1]}).instance()
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	switch {
	case !i.exists():
		fatal("instance `" + i.name + "` does not exist, run `limactl create " + i.name + "` to create a new instance")
	case i.status() == "Stopped":
		fatal("instance `" + i.name + "` is stopped, run `limactl start " + i.name + "` to start the instance")
	}
	if len(args) == 0 {
		args = []string{"sh"}
	}
	program, err := exec.LookPath(args[0])
	if err != nil { // as the guest's shell has it
		os.Exit(127)
	}
	check(syscall.Exec(program, args, append(os.Environ(), workdirEnv+"="+workdir)))
}

// mounts returns the directories of the host that the template names.
func (i instance) mounts() any {
	var template struct {
		Mounts []map[string]any `json:"mounts"`
	}
	data, err := os.ReadFile(i.file("lima.yaml"))
	if err != nil || yaml.Unmarshal(data, &template) != nil {
		return nil
	}
	for _, mount := range template.Mounts {
		if mount["mountPoint"] == nil {
			mount["mountPoint"] = mount["location"]
		}
	}
	return template.Mounts
}
