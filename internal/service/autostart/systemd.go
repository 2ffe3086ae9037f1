// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"fmt"
	"strings"
)

// The first lines of a unit say at which event it starts which program.
const (
	unitMark    = "# rdd service enable --at "
	unitProgram = "# starts "
)

// unit returns a unit of the user's systemd.
func (s Service) unit() string {
	var environment strings.Builder
	for _, assignment := range s.Environment {
		fmt.Fprintf(&environment, "Environment=%s\n", unitQuote(assignment))
	}
	program := unitProgramOf(s.Executable)
	return unitMark + string(s.When) + "\n" + unitProgram + s.Executable + `
[Unit]
Description=Rancher Desktop daemon, instance ` + s.Instance + `
StartLimitIntervalSec=5min
StartLimitBurst=5

[Service]
# It says when it is ready, so that a start waits for it.
Type=notify
# A daemon that was started by hand is replaced by this one.
ExecStartPre=` + program + ` --instance ` + s.Instance + ` service stop
ExecStart=` + program + ` ` + strings.Join(s.arguments(), " ") + `
` + environment.String() + `Restart=on-failure
RestartSec=2s
# Longer than the daemon gives itself.
TimeoutStartSec=90s
TimeoutStopSec=45s
# Virtual machines and engines outlive the daemon, and their end is not its end.
KillMode=process
OOMPolicy=continue
UMask=0077

[Install]
WantedBy=default.target
`
}

// unitQuote quotes a word for a unit, as systemd.syntax(7) has it, with % for a specifier.
func unitQuote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(word) + `"`
}

// unitProgramOf returns the beginning of a command line. systemd refuses quotes and
// backslashes in the path of a program, but not in an argument, where $ is a variable.
func unitProgramOf(path string) string {
	if !strings.ContainsAny(path, `"'\`) {
		return unitQuote(path)
	}
	return `/bin/sh -c "exec \"$$0\" \"$$@\"" ` + strings.ReplaceAll(unitQuote(path), "$", "$$")
}

// unitName is the name of an instance's unit. It takes the place of the template's that
// the Debian package has.
func unitName(name string) string { return "rdd@" + name + ".service" }

// readUnit returns what a unit that was written says.
func readUnit(path, text string) *Enabled {
	enabled := &Enabled{At: Login, File: path}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if at, ok := strings.CutPrefix(line, unitMark); ok {
			enabled.At = When(at)
		}
		if program, ok := strings.CutPrefix(line, unitProgram); ok {
			enabled.Executable = program
		}
	}
	return enabled
}
