// SPDX-License-Identifier: Apache-2.0

package diagnostics

// The codes.
const (
	DaemonNotAnswering Code = "daemon-not-answering"
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

// Known returns all definitions. Findings of the same severity are shown in the
// order of this list.
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
		Text: "process {pid} runs and is ready, but did not answer: {error}",
		Remedy: "see `{rdd} service log`; `{rdd} service stop --timeout 30s` stops the daemon, by force if necessary, and `{rdd} service start` starts it again: " +
			"containers continue to run",
	}, {
		Code: DaemonOtherVersion, Severity: Warning, Title: "The daemon has another version",
		Text:   "the running daemon is rdd {daemon}, and this is rdd {program}",
		Remedy: "`{rdd} service start` replaces it: containers continue to run",
	}, {
		Code: StoreNotWritable, Severity: Error, Title: "The store can't be written",
		Text: "objects can't be changed, and containers, images and volumes may be stale: {error}",
		Remedy: "free space on the file system of {path}, or see why it can't be written: containers continue to run, and RDD updates the objects " +
			"once the store can be written again",
	}, {
		Code: ControllerGone, Severity: Error, Title: "A controller does not run",
		Text: "{error}",
		Remedy: "start the process that ran it again (`{group}-controller`), or have the daemon run it: `{rdd} service stop`, " +
			"then `{rdd} service start --controllers '*'`",
		DependsOn: []Code{StoreNotWritable},
	}}
}

func ofEngines() []Definition {
	return []Definition{{
		Code: SocketNotPermitted, Severity: Error, Title: "No permission to use the engine's socket",
		Text:   "{error}",
		Remedy: "{how}",
	}, {
		Code: EngineNotAnswering, Severity: Error, Title: "The engine does not answer",
		Text:      "{error}",
		Remedy:    "{how}. RDD reconnects when the engine answers",
		DependsOn: []Code{SocketNotPermitted},
	}, {
		Code: EngineChanged, Severity: Error, Title: "Another engine answers",
		Text: "{error}",
		Remedy: "to mirror the other engine, `{rdd} stop` and `{rdd} start` (for a ContainerEngine of your own, spec.running): " +
			"nothing in the engines changes. Otherwise start the previous engine",
	}, {
		Code: EngineConflict, Severity: Error, Title: "Two ContainerEngines in one namespace have the same engine",
		Text:   "{error}",
		Remedy: "delete one of them: `{rdd} ctl delete containerengine -n {namespace} {name}`, or move it into a namespace of its own",
	}, {
		Code: EngineUnsupported, Severity: Error, Title: "The engine type or endpoint is not supported",
		Text:   "{error}",
		Remedy: "change the spec: `{rdd} ctl edit containerengine -n {namespace} {name}`, or for the App's `{rdd} set containerEngine.endpoint=…`",
	}, {
		Code: EngineIncomplete, Severity: Warning, Title: "Some objects of the engine are not mirrored",
		Text: "{error}",
		Remedy: "{how}. `{rdd} ctl describe containerengine -n {namespace} {name}` shows an Event for each problem. " +
			"RDD retries all of them",
		DependsOn: []Code{EngineNotAnswering, EngineChanged, EngineConflict, EngineUnsupported},
	}, {
		Code: EngineShared, Severity: Info, Title: "Two ContainerEngines have the same engine",
		Text:   "{other} mirrors the same engine ({id}): each container, image and volume is shown twice, and a deletion of either object deletes it",
		Remedy: "nothing if this is intended; otherwise delete one of them: `{rdd} ctl delete containerengine -n {namespace} {name}`",
	}}
}

func ofApp() []Definition {
	vm := "the App needs a virtual machine because it names no existing engine: {error}"
	instead := "; or use an existing engine: `{rdd} set containerEngine.endpoint="
	lima := "install Lima (https://lima-vm.io/docs/installation/), so that `limactl --version` answers" + instead
	return []Definition{{
		Code: LimactlMissing, Severity: Error, Title: "limactl not found",
		Text: vm, Remedy: lima + "{found}`", Otherwise: lima + "…`",
	}, {
		Code: NoKVM, Severity: Error, Title: "This machine can't run virtual machines",
		Text: vm,
		Remedy: "on Linux `sudo usermod -aG kvm $USER` and a new login if /dev/kvm exists, otherwise enable virtualization in the firmware" +
			instead + "{found}`",
		Otherwise: "on Linux `sudo usermod -aG kvm $USER` and a new login if /dev/kvm exists, otherwise enable virtualization in the firmware" +
			instead + "…`",
	}, {
		Code: VMFailed, Severity: Error, Title: "The virtual machine failed",
		Text: "{reason}: {error}",
		Remedy: "`{rdd} limavm log {vm}` shows the output, also with `--agent` and `--serial`. RDD retries; `{rdd} limavm restart {vm}` " +
			"retries at once. `{rdd} reset` creates a new virtual machine, and everything in this one is lost",
		DependsOn: []Code{LimactlMissing, NoKVM},
	}, {
		Code: VMDegraded, Severity: Warning, Title: "The virtual machine is degraded",
		Text:   "{error}",
		Remedy: "`{rdd} limavm log {vm} --agent` shows more; `{rdd} limavm restart {vm}` starts it again",
	}, {
		Code: AppNotSettled, Severity: Warning, Title: "The App has not settled",
		Text:   "{reason}: {error}",
		Remedy: "see `{rdd} service log`, and the App's spec: `{rdd} ctl get app/app -o yaml`",
		DependsOn: []Code{EngineNotAnswering, EngineChanged, EngineConflict, EngineUnsupported, LimactlMissing, NoKVM, VMFailed,
			ControllerGone, StoreNotWritable},
	}, {
		Code: ContextFailed, Severity: Warning, Title: "The Docker context can't be updated",
		Text:      "{error}",
		Remedy:    "fix what the message names: RDD retries within a minute. Until then use the engine with `docker -H {socket} ps`",
		Otherwise: "fix what the message names: RDD retries within a minute",
	}, {
		Code: ContextTakenOver, Severity: Warning, Title: "Another program changed the Docker context",
		Text: "{what}", Remedy: "{how}", DependsOn: []Code{EngineNotAnswering, ContextFailed},
	}}
}

func ofMachine() []Definition {
	return []Definition{{
		Code: DiskReadOnly, Severity: Error, Title: "The disk is read-only",
		Text: "the file system of {path} is read-only: objects can't be changed, and a daemon can't start",
		Remedy: "see why: `findmnt -T {path}` shows the mount, and the kernel log (`dmesg`) shows disk errors, after which Linux often remounts a file system " +
			"read-only; mount it writable again, then `{rdd} service stop` and `{rdd} service start`",
	}, {
		Code: DiskNearlyFull, Severity: Warning, Title: "The disk is nearly full",
		Text:      "{free} of {total} are free on the file system of {path}: when it is full, objects can't be changed",
		Remedy:    "free space: {how}",
		DependsOn: []Code{DiskReadOnly},
	}, {
		Code: StoreLarge, Severity: Warning, Title: "The store is large",
		Text: "{path} has {size}, with its log: RDD removes old versions of objects every five minutes, and returns their space to the disk in steps",
		Remedy: "`{rdd} service stop` and `{rdd} service start` empty the log; `{rdd} service reset` creates an empty store with the same settings: containers, images and volumes stay in the engine and " +
			"are mirrored again, the App's settings and your own objects are lost",
	}}
}
