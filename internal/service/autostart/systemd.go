// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"fmt"
	"strings"
)

// unitMark begins the line of a unit that says at which event it starts.
const unitMark = "# rdd service enable --at "

// unit returns a unit of the user's systemd.
func (s Service) unit() string {
	var environment strings.Builder
	for _, assignment := range s.Environment {
		fmt.Fprintf(&environment, "Environment=%s\n", unitQuote(assignment))
	}
	program := unitQuote(s.Executable)
	return unitMark + string(s.When) + `
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

// unitQuote quotes a word for a unit: as systemd.syntax(7) has it, with % for a specifier
// and $ for a variable.
func unitQuote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(word) + `"`
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
		if command, ok := strings.CutPrefix(line, `ExecStart="`); ok {
			program, _, _ := strings.Cut(command, `" --instance`)
			enabled.Executable = strings.NewReplacer(`\\`, `\`, `\"`, `"`, "%%", "%", "$$", "$").Replace(program)
		}
	}
	return enabled
}
