// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"encoding/binary"
	"encoding/xml"
	"strings"
	"unicode/utf16"
)

// task is a task of Windows' scheduler, as far as it is read and written here, in the
// order that its schema wants (schema version 1.2).
type task struct {
	XMLName     xml.Name `xml:"http://schemas.microsoft.com/windows/2004/02/mit/task Task"`
	Version     string   `xml:"version,attr"`
	Description string   `xml:"RegistrationInfo>Description"`
	Login       *trigger `xml:"Triggers>LogonTrigger"`
	Boot        *trigger `xml:"Triggers>BootTrigger"`
	Principal   struct {
		ID        string `xml:"id,attr"`
		UserID    string `xml:"UserId"`
		LogonType string `xml:"LogonType"`
		RunLevel  string `xml:"RunLevel"`
	} `xml:"Principals>Principal"`
	Settings settings `xml:"Settings"`
	Actions  struct {
		Context   string `xml:"Context,attr"`
		Command   string `xml:"Exec>Command"`
		Arguments string `xml:"Exec>Arguments"`
	} `xml:"Actions"`
}

type trigger struct {
	Enabled bool   `xml:"Enabled"`
	UserID  string `xml:"UserId,omitempty"`
}

type settings struct {
	MultipleInstancesPolicy    string  `xml:"MultipleInstancesPolicy"`
	DisallowStartIfOnBatteries bool    `xml:"DisallowStartIfOnBatteries"`
	StopIfGoingOnBatteries     bool    `xml:"StopIfGoingOnBatteries"`
	StartWhenAvailable         bool    `xml:"StartWhenAvailable"`
	Hidden                     bool    `xml:"Hidden"`
	ExecutionTimeLimit         string  `xml:"ExecutionTimeLimit"`
	RestartOnFailure           restart `xml:"RestartOnFailure"`
}

type restart struct {
	Interval string `xml:"Interval"`
	Count    int    `xml:"Count"`
}

// taskXML returns the task of a user, in the encoding that schtasks reads. The daemon
// is started in the background by a command that ends, as a task has a console window
// for as long as it runs.
func (s Service) taskXML(user string) ([]byte, error) {
	t := task{Version: "1.2", Description: "Rancher Desktop daemon, instance " + s.Instance}
	t.Principal.ID, t.Principal.UserID, t.Principal.RunLevel = "Author", user, "LeastPrivilege"
	t.Principal.LogonType = "InteractiveToken"
	if s.When == Boot {
		t.Boot, t.Principal.LogonType = &trigger{Enabled: true}, "S4U" // without the user's password
	} else {
		t.Login = &trigger{Enabled: true, UserID: user}
	}
	t.Settings = settings{
		MultipleInstancesPolicy: "IgnoreNew", StartWhenAvailable: true, Hidden: true, ExecutionTimeLimit: "PT0S",
		RestartOnFailure: restart{Interval: "PT1M", Count: 3},
	}
	t.Actions.Context = "Author"
	t.Actions.Command, t.Actions.Arguments = s.Executable, "--instance "+s.Instance+" service start"
	data, err := xml.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, err
	}
	return utf16le(`<?xml version="1.0" encoding="UTF-16"?>` + "\r\n" + string(data) + "\r\n"), nil
}

// utf16le encodes a text with its byte order mark.
func utf16le(text string) []byte {
	encoded := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		encoded = binary.LittleEndian.AppendUint16(encoded, unit)
	}
	return encoded
}

// readTask returns what a task that was written says.
func readTask(path string, data []byte) *Enabled {
	enabled := &Enabled{At: Login, File: path}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(data[i:]))
	}
	text := string(utf16.Decode(units))
	if _, after, ok := strings.Cut(text, "?>"); ok { // which names an encoding that it is not in now
		text = after
	}
	var t task
	if err := xml.Unmarshal([]byte(text), &t); err != nil {
		return enabled
	}
	if enabled.Executable = t.Actions.Command; t.Boot != nil {
		enabled.At = Boot
	}
	return enabled
}
