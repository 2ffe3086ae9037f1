// SPDX-License-Identifier: Apache-2.0

package diagnostics

// The codes.
const (
	DaemonNotAnswering Code = "daemon-not-answering"
	DaemonEnded        Code = "daemon-ended"
	DaemonOtherVersion Code = "daemon-other-version"
	SocketNotPermitted Code = "socket-not-permitted"
	EngineNotAnswering Code = "engine-not-answering"
	EngineChanged      Code = "engine-changed"
	EngineConflict     Code = "engine-conflict"
	EngineUnsupported  Code = "engine-unsupported"
	LimactlMissing     Code = "limactl-missing"
	NoKVM              Code = "no-kvm"
	VMFailed           Code = "vm-failed"
	VMDegraded         Code = "vm-degraded"
	AppNotSettled      Code = "app-not-settled"
	DiskReadOnly       Code = "disk-read-only"
	DiskNearlyFull     Code = "disk-nearly-full"
	StoreLarge         Code = "store-large"
	ContextFailed      Code = "context-failed"
	ContextTakenOver   Code = "context-taken-over"
	EngineShared       Code = "engine-shared"
	EngineIncomplete   Code = "engine-incomplete"
	DeletionFailed     Code = "deletion-failed"
	DeletionRefused    Code = "deletion-refused"
	ControllerGone     Code = "controller-gone"
	StoreNotWritable   Code = "store-not-writable"
)

// Known returns everything that can be wrong. Of findings that are equally bad
// the first in this list is the first to be shown.
func Known() Registry {
	all := Registry{}
	for _, group := range [][]Definition{ofDaemon(), ofEngines(), ofDeletions(), ofApp(), ofMachine()} {
		all = append(all, group...)
	}
	return all
}

func ofDaemon() []Definition {
	return []Definition{{
		Code: DaemonNotAnswering, Severity: Error, Title: "The daemon does not answer",
		Text: "process {pid} lives and says that it is ready, but did not answer: {error}",
		Remedy: "see `{rdd} service log`; `{rdd} service stop --timeout 30s` ends it, by force if need be, and `{rdd} service start` starts it again: " +
			"containers continue to run",
	}, {
		Code: DaemonEnded, Severity: Error, Title: "The daemon ended by itself",
		Text:   "nothing is mirrored until it runs again, and containers continue to run: {error}",
		Remedy: "`{rdd} service start` starts it again; `{rdd} service log` shows what happened before",
	}, {
		Code: DaemonOtherVersion, Severity: Warning, Title: "The daemon is another version",
		Text:   "the daemon that runs is rdd {daemon}, and this is rdd {program}",
		Remedy: "`{rdd} service start` replaces it: containers continue to run",
	}, {
		Code: StoreNotWritable, Severity: Error, Title: "The store can't be written",
		Text: "no object can be changed, and what is shown of containers, images and volumes may be out of date: {error}",
		Remedy: "make room on the file system of {path}, or see why it can't be written: containers go on, and the objects follow " +
			"by themselves once the store can be written again",
	}, {
		Code: ControllerGone, Severity: Error, Title: "No process runs a controller",
		Text: "{error}",
		Remedy: "start the process that ran it again (`{group}-controller`), or have the daemon run it: `{rdd} service stop`, " +
			"then `{rdd} service start --controllers '*'`",
		DependsOn: []Code{StoreNotWritable},
	}}
}

func ofEngines() []Definition {
	return []Definition{{
		Code: SocketNotPermitted, Severity: Error, Title: "The engine's socket is not permitted",
		Text:   "{error}",
		Remedy: "{how}",
	}, {
		Code: EngineNotAnswering, Severity: Error, Title: "The engine does not answer",
		Text:      "{error}",
		Remedy:    "{how}. It is tried again by itself",
		DependsOn: []Code{SocketNotPermitted},
	}, {
		Code: EngineChanged, Severity: Error, Title: "Another engine answers",
		Text: "{error}",
		Remedy: "if the other engine is what you want, `{rdd} stop` and `{rdd} start` (for a ContainerEngine of your own, spec.running): " +
			"nothing in the engines is touched. Else start the one that was there before",
	}, {
		Code: EngineConflict, Severity: Error, Title: "Two ContainerEngines of one namespace are one engine",
		Text:   "{error}",
		Remedy: "delete one of them: `{rdd} ctl delete containerengine -n {namespace} {name}`, or move it into a namespace of its own",
	}, {
		Code: EngineUnsupported, Severity: Error, Title: "This kind of engine or endpoint can't be used",
		Text:   "{error}",
		Remedy: "change the spec: `{rdd} ctl edit containerengine -n {namespace} {name}`, or for the App's `{rdd} set containerEngine.endpoint=…`",
	}, {
		Code: EngineIncomplete, Severity: Warning, Title: "Not all of the engine is shown as it is",
		Text: "{error}",
		Remedy: "{how}. `{rdd} ctl describe containerengine -n {namespace} {name}` has an Event for each problem. " +
			"All of it is tried again by itself, and this goes when it is over",
		DependsOn: []Code{EngineNotAnswering, EngineChanged, EngineConflict, EngineUnsupported},
	}, {
		Code: EngineShared, Severity: Info, Title: "Two ContainerEngines are one engine",
		Text:   "{other} mirrors the same engine ({id}): each container, image and volume is shown twice, and a deletion of either object deletes it",
		Remedy: "nothing, if that is meant; else delete one of them: `{rdd} ctl delete containerengine -n {namespace} {name}`",
	}}
}

func ofApp() []Definition {
	vm := "a virtual machine is wanted, as the App names no engine that is there already: {error}"
	instead := "; or use an engine that is there: `{rdd} set containerEngine.endpoint="
	lima := "install Lima (https://lima-vm.io/docs/installation/), so that `limactl --version` answers" + instead
	return []Definition{{
		Code: LimactlMissing, Severity: Error, Title: "There is no limactl",
		Text: vm, Remedy: lima + "{found}`", Otherwise: lima + "…`",
	}, {
		Code: NoKVM, Severity: Error, Title: "This machine can't run virtual machines",
		Text: vm,
		Remedy: "on Linux `sudo usermod -aG kvm $USER` and a new login if /dev/kvm is there, else turn virtualization on in the firmware" +
			instead + "{found}`",
		Otherwise: "on Linux `sudo usermod -aG kvm $USER` and a new login if /dev/kvm is there, else turn virtualization on in the firmware" +
			instead + "…`",
	}, {
		Code: VMFailed, Severity: Error, Title: "The virtual machine has failed",
		Text: "{reason}: {error}",
		Remedy: "`{rdd} limavm log {vm}` has what was said, also with `--agent` and `--serial`. It is tried again by itself, and at once by " +
			"`{rdd} limavm restart {vm}`. `{rdd} reset` makes a new one, and all that is in this one is lost",
		DependsOn: []Code{LimactlMissing, NoKVM},
	}, {
		Code: VMDegraded, Severity: Warning, Title: "A part of the virtual machine does not work",
		Text:   "{error}",
		Remedy: "`{rdd} limavm log {vm} --agent` has more; `{rdd} limavm restart {vm}` tries it again",
	}, {
		Code: AppNotSettled, Severity: Warning, Title: "What was asked for has not come true",
		Text:   "{reason}: {error}",
		Remedy: "see `{rdd} service log`, and what was asked for: `{rdd} ctl get app/app -o yaml`",
		DependsOn: []Code{EngineNotAnswering, EngineChanged, EngineConflict, EngineUnsupported, LimactlMissing, NoKVM, VMFailed,
			ControllerGone, StoreNotWritable},
	}, {
		Code: ContextFailed, Severity: Warning, Title: "The Docker context can't be kept",
		Text:      "{error}",
		Remedy:    "mend what it names: it is tried again by itself, within a minute. Until then `docker -H {socket} ps` speaks to the engine",
		Otherwise: "mend what it names: it is tried again by itself, within a minute",
	}, {
		Code: ContextTakenOver, Severity: Warning, Title: "The Docker context was taken over",
		Text: "{what}", Remedy: "{how}", DependsOn: []Code{EngineNotAnswering, ContextFailed},
	}}
}

func ofMachine() []Definition {
	return []Definition{{
		Code: DiskReadOnly, Severity: Error, Title: "The disk is read-only",
		Text: "the file system of {path} is read-only: nothing can be changed, and no daemon can be started",
		Remedy: "see why: `findmnt -T {path}` shows the mount, and the kernel's log (`dmesg`) an error of the disk, after which a file system is often made " +
			"read-only; mount it writable again, then `{rdd} service stop` and `{rdd} service start`",
	}, {
		Code: DiskNearlyFull, Severity: Warning, Title: "The disk is nearly full",
		Text:      "{free} of {total} are free on the file system of {path}: when it is full nothing can be changed any more",
		Remedy:    "make room: {how}",
		DependsOn: []Code{DiskReadOnly},
	}, {
		Code: StoreLarge, Severity: Warning, Title: "The store is large",
		Text: "{path} has {size}, with its log: old versions of objects go every five minutes, and what they took is given back to the disk in steps",
		Remedy: "`{rdd} service stop` and `{rdd} service start` empty the log; `{rdd} service reset` begins an empty store with the same settings: containers, images and volumes are in the engine and " +
			"come back, the App's settings and objects of your own are lost",
	}}
}
