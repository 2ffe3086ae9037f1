// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"crypto/x509"
	"errors"
	"strconv"
)

// DaemonNotAnswering: a daemon that said that it is ready does not answer.
var DaemonNotAnswering = &Diagnostic{
	Code: "daemon-not-answering", Severity: Error, Title: "The daemon does not answer",
	Text: "process {pid} lives and says that it is ready, but did not answer: {error}",
	Remedy: "see `{rdd} service log`; `{rdd} service stop --timeout 30s` ends it, by force if need be, and `{rdd} service start` starts it again: " +
		"containers continue to run",
	Reporter: StatusCommand,
	Rule: func(o *Observed) []evidence {
		p := o.Daemon
		if p == nil || p.Failure == nil {
			return nil
		}
		found := evidence{subject: o.service(), args: arguments{"pid", strconv.Itoa(p.PID), "error", p.Failure.Error()}}
		var invalid x509.CertificateInvalidError
		if errors.As(p.Failure, &invalid) && invalid.Reason == x509.Expired {
			found.remedy = "its certificate is not valid at the time that this machine's clock shows: see whether that is right (`date`); if it is, " +
				"the clock was set after the daemon had started, and `{rdd} service stop` and `{rdd} service start` make new certificates: " +
				"containers go on, and no data is lost"
		}
		return []evidence{found}
	},
}

// DaemonOtherVersion: the daemon is of another version than this program.
var DaemonOtherVersion = &Diagnostic{
	Code: "daemon-other-version", Severity: Warning, Title: "The daemon is another version",
	Text:     "the daemon that runs is rdd {daemon}, and this is rdd {program}",
	Remedy:   "`{rdd} service start` replaces it: containers continue to run",
	Reporter: StatusCommand,
	Rule: func(o *Observed) []evidence {
		p := o.Daemon
		if p == nil || p.Version == "" || p.Version == p.Program {
			return nil
		}
		return []evidence{{subject: o.service(), state: p.Version, args: arguments{"daemon", p.Version, "program", p.Program}}}
	},
}

// StoreNotWritable: the last write to the store failed.
var StoreNotWritable = &Diagnostic{
	Code: "store-not-writable", Severity: Error, Title: "The store can't be written",
	Text: "no object can be changed, and what is shown of containers, images and volumes may be out of date: {error}",
	Remedy: "make room on the file system of {path}, or see why it can't be written: containers go on, and the objects follow " +
		"by themselves once the store can be written again",
	Reporter: StatusCommand,
	Rule: func(o *Observed) []evidence {
		if o.Unwritable == "" {
			return nil
		}
		path := "the datastore"
		if o.Disk != nil {
			path = o.Disk.Path
		}
		return []evidence{{subject: o.service(), state: o.Unwritable, args: arguments{"error", o.Unwritable, "path", path}}}
	},
}

// ControllerGone: no process runs a controller whose objects exist.
var ControllerGone = &Diagnostic{
	Code: "controller-gone", Severity: Error, Title: "No process runs a controller",
	Text: "{error}",
	Remedy: "start the process that ran it again (`{group}-controller`), or have the daemon run it: `{rdd} service stop`, " +
		"then `{rdd} service start --controllers '*'`",
	DependsOn: []*Diagnostic{StoreNotWritable},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		var all []evidence
		for _, absence := range o.Absent {
			found := evidence{subject: Subject{Kind: kindController, Name: absence.Controller}, state: absence.Holder, standing: true,
				args: arguments{"error", absence.Message(), "group", controllerGroups[absence.Controller]}, reaches: []Subject{theApp()}}
			for i := range o.Engines {
				found.reaches = append(found.reaches, subjectOf(&o.Engines[i]))
			}
			all = append(all, found)
		}
		return all
	},
}

// controllerGroups are the groups of the controllers that are looked for.
var controllerGroups = map[string]string{"app": "app", "engine": "containers", "limavm": "lima"}

// service is the daemon of the instance.
func (o *Observed) service() Subject {
	subject := Subject{Kind: kindService}
	if o.Daemon != nil {
		subject.Name = o.Daemon.Instance
	}
	return subject
}
