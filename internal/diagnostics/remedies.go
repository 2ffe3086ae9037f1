// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// System is the init system of the machine.
type System struct {
	// OS is the operating system, as in runtime.GOOS; empty if it is not known.
	OS string
	// Systemd is whether systemd runs.
	Systemd bool
}

// place is where an engine runs. Remedies depend on it.
type place struct {
	System
	engine.Traits
	endpoint string            // as in the spec
	address  endpoint.Endpoint // the zero value if the endpoint is not valid
	inVM     bool              // in the App's virtual machine
	unit     string            // the engine's systemd unit there
}

func (o *Observed) placeOf(e *containersv1alpha1.ContainerEngine) place {
	p := o.placeAt(traits.Of(e.Spec.Type), e.Spec.Endpoint)
	p.unit, p.inVM = o.unit(), WantsVM(o.App) && metav1.IsControlledBy(e, o.App)
	return p
}

func (o *Observed) placeAt(known engine.Traits, text string) place {
	address, _ := endpoint.Parse(text)
	return place{System: o.System, Traits: known, endpoint: text, address: address}
}

// isPodman reports whether it is most likely Podman, which has Docker's API.
func (p place) isPodman() bool { return p.IsDockerAPI && strings.Contains(p.endpoint, "podman") }

// isRootless reports whether a local socket belongs to a user's own engine.
func (p place) isRootless() bool { return strings.Contains(p.endpoint, "/run/user/") }

// isFile reports whether the engine is a file that the simulated engine reads.
func (p place) isFile() bool { return p.address.Scheme == endpoint.File }

// host returns the host of an endpoint that names one.
func (p place) host() string { return cmp.Or(p.address.Host, "its machine") }

// command fills in a command of [engine.Commands].
func (p place) command(text string) string {
	sudo := "sudo "
	if p.OS == "windows" {
		sudo = ""
	}
	return strings.NewReplacer("{endpoint}", p.endpoint, "{path}", p.address.Path, "{sudo}", sudo).Replace(text)
}

// answers returns how to check whether the engine answers, and how to start it.
func (p place) answers() string {
	switch {
	case p.inVM:
		return "the engine runs in the virtual machine: `{rdd} shell sudo systemctl status " + p.unit + "` shows its status, and " +
			"`{rdd} limavm restart rd` restarts both"
	case p.isFile():
		return "see whether the file is there and can be read: RDD reads it again when it changes (docs/simulated.md)"
	case p.address.Scheme == endpoint.SSH:
		return "see whether the host and its engine answer: `docker -H " + p.endpoint + " version`, and `ssh " + sshTarget(p.address) +
			"` for errors of the connection; start the engine on that host"
	case p.address.Local() && p.isPodman():
		return "check that it runs: `podman --url " + p.endpoint + " info`; " + p.starts()
	case p.address.Local() && p.Commands.Version != "":
		return "check that it runs: `" + p.command(p.Commands.Version) + "`; " + p.starts()
	case p.IsDockerAPI:
		return "check that it answers: `docker -H " + p.endpoint + " version`; start it on " + p.host() +
			", and configure it to listen at that address"
	}
	return "check that it runs, and listens at " + p.endpoint
}

// sshTarget returns the arguments of ssh for an address: the port as a flag, and no
// path.
func sshTarget(address endpoint.Endpoint) string {
	target := address.Host
	if address.User != "" {
		target = address.User + "@" + target
	}
	if address.Port != "" {
		target = "-p " + address.Port + " " + target
	}
	return target
}

// starts returns how to start an engine on this machine.
func (p place) starts() string {
	switch {
	case (p.OS == "windows" || p.OS == "darwin") && p.isPodman():
		return "`podman machine start` starts it"
	case p.Service == "":
		return "start it"
	case p.OS == "windows" && p.Commands.Desktop != "":
		return "start " + p.Commands.Desktop + ", or in an administrator's PowerShell `Start-Service " + p.Service + "`"
	case p.OS == "windows":
		return "in an administrator's PowerShell `Start-Service " + p.Service + "` starts it"
	case p.OS == "darwin":
		return "start the program that provides it, such as Docker Desktop"
	case p.isPodman():
		return p.startsPodman()
	}
	return p.startsService()
}

func (p place) startsPodman() string {
	switch {
	case p.Systemd && p.isRootless():
		return "`systemctl --user start podman.socket` starts it"
	case p.Systemd:
		return "`sudo systemctl start podman.socket` starts it"
	case p.isRootless():
		return "`podman system service --time 0 " + p.endpoint + "` starts it"
	}
	return "`sudo podman system service --time 0 " + p.endpoint + "` starts it"
}

func (p place) startsService() string {
	switch {
	case p.isRootless() && p.Systemd:
		return "`systemctl --user start " + p.Service + "` starts it"
	case p.isRootless() && p.Commands.Rootless != "":
		return "`" + p.Commands.Rootless + "` starts it"
	case p.Systemd:
		return "`sudo systemctl start " + p.Service + "` starts the engine of this machine"
	}
	return "`sudo service " + p.Service + " start` starts the engine of this machine"
}

// log returns where the engine's log is.
func (p place) log() string {
	service := p.Service
	if p.isPodman() {
		service = "podman"
	}
	switch {
	case p.inVM:
		return "`{rdd} shell sudo journalctl -u " + p.unit + "`"
	case p.isFile():
		return "its file"
	case !p.address.Local():
		return "the log of the engine on " + p.host()
	case !p.Systemd || p.OS != "linux" || service == "":
		return "the engine's own log"
	case p.isRootless():
		return "`journalctl --user -u " + service + "`"
	}
	return "`sudo journalctl -u " + service + "`"
}

// removes returns the engine's command that forces the removal of a container;
// empty if there is none.
func (p place) removes() string {
	switch {
	case p.isPodman():
		return "podman rm -f"
	case p.inVM && !p.IsDockerAPI && p.Commands.Kill != "": // no client of the host can connect to it
		return "{rdd} shell " + p.Commands.Kill
	}
	return p.Commands.Kill
}

// permits returns what to do if the user has no permission for a local socket.
// Members of the group have it; empty for none.
func (p place) permits(group string) string {
	shown := "`ls -l " + p.address.Path + "` shows the permissions; "
	switch {
	case p.address.Scheme == endpoint.NPipe:
		return "in an administrator's shell `net localgroup docker-users %USERNAME% /add` adds you to the group that may use it; " +
			"log out and in again, then `{rdd} service stop` and `{rdd} service start`"
	case group != "":
		return joinGroup(group) + ", then `{rdd} service stop` and `{rdd} service start`"
	case p.isPodman():
		return "the socket belongs to root; enable your own with `systemctl --user enable --now podman.socket`, and use it with " +
			"`{rdd} set containerEngine.endpoint=unix:///run/user/$(id -u)/podman/podman.sock`"
	case p.Commands.Share != "":
		return shown + p.Commands.Share + ", or use an engine of your own: `{rdd} set containerEngine.endpoint=…`"
	}
	return shown + "configure the engine to give its socket to a group that you are in, or use an engine of your own: " +
		"`{rdd} set containerEngine.endpoint=…`"
}

// joinGroup returns how to become a member of a group.
func joinGroup(group string) string {
	return "`sudo usermod -aG " + group + " $USER` adds you to the group that may use it; log out and in again, since a new group takes effect " +
		"at the next login (for one shell `newgrp " + group + "` is enough)"
}

// Permits returns what to do if the user has no permission for the socket of a
// Docker engine of this machine. Members of the group have it; empty for none.
// command is the command line of rdd for the instance.
func Permits(denied, group, command string) string {
	p := (&Observed{}).placeAt(traits.Moby(), denied)
	if group == "" {
		return arguments{"rdd", command}.fill(p.permits(""))
	}
	return joinGroup(group)
}

// denied returns the engine that a start would use, if the user may not use it.
func (o *Observed) denied() []evidence {
	if o.Denied == "" {
		return nil
	}
	at := o.placeAt(traits.Moby(), o.Denied)
	message := "no engine is configured, and you have no permission to use the one at " + o.Denied + ": permission denied"
	group := o.Groups[o.Denied]
	if group != "" {
		message += ": it is for members of the group " + group
	}
	return []evidence{{subject: theHost(), state: o.Denied, args: arguments{"error", message, "how", o.typed(at.permits(group))}}}
}

// permits returns what to do if the user may not use an engine's socket.
func permits(o *Observed, e *containersv1alpha1.ContainerEngine) string {
	return o.placeOf(e).permits(o.Groups[e.Spec.Endpoint])
}

// answers returns what to do about an engine that does not answer.
func answers(o *Observed, e *containersv1alpha1.ContainerEngine) string {
	at := o.placeOf(e)
	switch remedy := at.answers(); {
	case at.inVM:
		return remedy
	case o.App != nil && metav1.IsControlledBy(e, o.App):
		return remedy + ". Or use another engine: `{rdd} set containerEngine.endpoint=…`"
	default:
		return remedy + ". Or use another engine: `{rdd} ctl edit containerengine -n " + e.Namespace + " " + e.Name + "`"
	}
}

// otherKind returns what to do if another kind of engine answers at the endpoint.
func otherKind(o *Observed, e *containersv1alpha1.ContainerEngine) string {
	known := traits.Of(e.Spec.Type)
	kind := "another type"
	for _, other := range traits.All() { // of those that RDD runs, there are two
		if other.Type != known.Type && other.Socket != "" {
			kind = string(other.Type)
		}
	}
	usual := ""
	if len(known.Places) > 0 {
		usual = "/" + known.Places[0].Path
	}
	if o.App != nil && metav1.IsControlledBy(e, o.App) {
		return "`{rdd} set containerEngine.name=" + kind + "` connects to it as " + kind + "; or set the socket of " + known.Service +
			", usually: `{rdd} set containerEngine.endpoint=" + endpoint.ForSocket(usual) + "`"
	}
	return "create a ContainerEngine of the type " + kind + " for this endpoint; or set the socket of " + known.Service + ", usually " +
		endpoint.ForSocket(usual) + ": `{rdd} ctl edit containerengine -n " + e.Namespace + " " + e.Name + "`"
}

// typed fills in the user's command for rdd.
func (o *Observed) typed(remedy string) string { return arguments{"rdd", o.Command}.fill(remedy) }

// howToMakeRoom returns how to free space in the engines of this machine.
func (o *Observed) howToMakeRoom() string {
	inVM := false
	for _, known := range traits.All() {
		if known.Commands.Usage == "" {
			continue
		}
		if len(o.Engines) == 0 || slices.ContainsFunc(o.Engines, func(e containersv1alpha1.ContainerEngine) bool {
			at := o.placeOf(&e)
			inVM = inVM || at.inVM
			return !at.inVM && at.Type == known.Type && at.address.Local()
		}) {
			return known.Commands.Usage
		}
	}
	if inVM {
		return "the disk of the virtual machine grows with its content; remove unused files, there and elsewhere"
	}
	return "no engine of this machine uses it; remove unused files"
}
