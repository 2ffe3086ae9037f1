// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// label is launchd's name of an instance's agent.
func label(name string) string { return "io.rancherdesktop.rdd." + name }

// agent returns a property list of launchd's (launchd.plist(5)).
func (s Service) agent() []byte {
	var text bytes.Buffer
	key := func(indent, name string) { text.WriteString(indent + "<key>" + escaped(name) + "</key>\n") }
	value := func(indent, value string) { text.WriteString(indent + "<string>" + escaped(value) + "</string>\n") }
	text.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` +
		"\n<plist version=\"1.0\">\n<dict>\n")
	key("\t", "Label")
	value("\t", label(s.Instance))
	key("\t", "ProgramArguments")
	text.WriteString("\t<array>\n")
	for _, argument := range append([]string{s.Executable}, s.arguments()...) {
		value("\t\t", argument)
	}
	text.WriteString("\t</array>\n")
	key("\t", "EnvironmentVariables")
	text.WriteString("\t<dict>\n")
	for _, assignment := range s.Environment {
		name, content, _ := strings.Cut(assignment, "=")
		key("\t\t", name)
		value("\t\t", content)
	}
	text.WriteString("\t</dict>\n")
	key("\t", "RunAtLoad")
	text.WriteString("\t<true/>\n")
	key("\t", "KeepAlive") // again if it fails, and not after `rdd service stop`
	text.WriteString("\t<dict>\n")
	key("\t\t", "SuccessfulExit")
	text.WriteString("\t\t<false/>\n\t</dict>\n")
	key("\t", "AbandonProcessGroup") // virtual machines outlive the daemon
	text.WriteString("\t<true/>\n")
	key("\t", "ExitTimeOut")
	text.WriteString("\t<integer>45</integer>\n")
	key("\t", "Umask")
	text.WriteString("\t<integer>63</integer>\n") // 0077
	key("\t", "StandardOutPath")
	value("\t", s.Log)
	text.WriteString("</dict>\n</plist>\n")
	return text.Bytes()
}

func escaped(text string) string {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text)) // a buffer takes everything
	return escaped.String()
}

// readAgent returns what an agent that was written says.
func readAgent(path string, data []byte) *Enabled {
	enabled := &Enabled{At: Login, File: path}
	var list struct {
		Arguments []string `xml:"dict>array>string"`
	}
	if xml.Unmarshal(data, &list) == nil && len(list.Arguments) > 0 {
		enabled.Executable = list.Arguments[0]
	}
	return enabled
}
