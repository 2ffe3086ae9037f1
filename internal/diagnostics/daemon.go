// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"crypto/x509"
	"errors"
	"strconv"
)

// DaemonNotAnswering means: a daemon that said that it is ready does not answer.
var DaemonNotAnswering = &Diagnostic{
	Code: "daemon-not-answering", Severity: Error, Title: "The daemon does not answer",
	Text: "process {pid} runs and is ready, but did not answer: {error}",
	Remedy: "see `{rdd} service log`; `{rdd} service stop --timeout 30s` stops the daemon, by force if necessary, and `{rdd} service start` starts it again: " +
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
			found.remedy = "its certificate is not valid at the time of this machine's clock: check the clock (`date`); if it is right, " +
				"it was set after the daemon had started, and `{rdd} service stop` and `{rdd} service start` create new certificates: " +
				"containers continue to run, and no data is lost"
		}
		return []evidence{found}
	},
}

// DaemonEnded means: the daemon crashed, or ended because of a failure.
var DaemonEnded = &Diagnostic{
	Code: "daemon-ended", Severity: Error, Title: "The daemon ended by itself",
	Text:     "nothing is mirrored until it runs again, and containers continue to run: {error}",
	Remedy:   "`{rdd} service start` starts it again; `{rdd} service log` shows what happened before",
	Reporter: StatusCommand,
	Rule: func(o *Observed) []evidence {
		if o.Daemon == nil || o.Daemon.Ended == "" {
			return nil
		}
		return []evidence{{subject: o.service(), state: o.Daemon.Ended, args: arguments{"error", o.Daemon.Ended}}}
	},
}

// DaemonOtherVersion means: the daemon is of another version than this program.
var DaemonOtherVersion = &Diagnostic{
	Code: "daemon-other-version", Severity: Warning, Title: "The daemon has another version",
	Text:     "the running daemon is rdd {daemon}, and this is rdd {program}",
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

// StoreNotWritable means: the last write to the store failed.
var StoreNotWritable = &Diagnostic{
	Code: "store-not-writable", Severity: Error, Title: "The store can't be written",
	Text: "objects can't be changed, and containers, images and volumes may be stale: {error}",
	Remedy: "free space on the file system of {path}, or see why it can't be written: containers continue to run, and RDD updates the objects " +
		"once the store can be written again",
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

// ControllerGone means: no process runs a controller whose objects exist.
var ControllerGone = &Diagnostic{
	Code: "controller-gone", Severity: Error, Title: "A controller does not run",
	Text: "{error}",
	Remedy: "start the process that ran it again (`{group}-controller`), or have the daemon run it: `{rdd} service stop`, " +
		"then `{rdd} service start --controllers '*'`",
	DependsOn: []*Diagnostic{StoreNotWritable},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		var all []evidence
		for _, absence := range o.Absent {
			found := evidence{subject: Subject{Kind: kindController, Name: absence.Controller}, state: absence.Holder, inCondition: true,
				args: arguments{"error", absence.Message(), "group", controllerGroups[absence.Controller]}, reaches: []Subject{theApp()}}
			for i := range o.Engines {
				found.reaches = append(found.reaches, subjectOf(&o.Engines[i]))
			}
			all = append(all, found)
		}
		return all
	},
}

// controllerGroups has the group of each controller in [Observed.Absent].
var controllerGroups = map[string]string{"app": "app", "engine": "containers", "limavm": "lima"}

// service is the daemon of the instance.
func (o *Observed) service() Subject {
	subject := Subject{Kind: kindService}
	if o.Daemon != nil {
		subject.Name = o.Daemon.Instance
	}
	return subject
}
