// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// System is what programs are started with on the machine.
type System struct {
	// OS is as in runtime.GOOS; empty if it is not known.
	OS string
	// Systemd is whether systemd runs.
	Systemd bool
}

// place says where an engine is, for what there is to do about it.
type place struct {
	System
	kind     containersv1alpha1.EngineType
	endpoint string
	inVM     bool   // in the App's virtual machine
	unit     string // that systemd has there
}

func (o *Observed) placeOf(e *containersv1alpha1.ContainerEngine) place {
	return place{System: o.System, kind: e.Spec.Type, endpoint: e.Spec.Endpoint, unit: o.unit(),
		inVM: WantsVM(o.App) && metav1.IsControlledBy(e, o.App)}
}

// rest returns what follows a scheme, and whether the endpoint has it.
func (p place) rest(scheme string) (string, bool) { return strings.CutPrefix(p.endpoint, scheme+"://") }

func (p place) podman() bool { return strings.Contains(p.endpoint, "podman") }

// rootless reports whether a local socket is that of a user's own engine.
func (p place) rootless() bool { return strings.Contains(p.endpoint, "/run/user/") }

// host returns the host of an endpoint that names one.
func (p place) host() string {
	if u, err := url.Parse(p.endpoint); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "its machine"
}

// answers says how to see whether the engine answers, and how it is started.
func (p place) answers() string {
	path, local := socketPath(p.endpoint)
	address, ssh := p.rest("ssh")
	switch {
	case p.inVM:
		return "it is the one in the virtual machine: `{rdd} shell sudo systemctl status " + p.unit + "` says how it is there, and " +
			"`{rdd} limavm restart rd` starts both anew"
	case p.kind == containersv1alpha1.EngineSimulated:
		return "see whether the file is there and can be read: it is read again when it changes (docs/simulated.md)"
	case ssh:
		return "see whether the host and its engine answer: `docker -H " + p.endpoint + " version`, and `ssh " + sshTarget(address) +
			"` for what is wrong on the way; the engine is started on that host"
	case p.kind == containersv1alpha1.EngineContainerd && local:
		return "see whether it runs: `" + p.admin() + "ctr --address " + path + " version`; " + p.starts()
	case local && p.podman():
		return "see whether it runs: `podman --url " + p.endpoint + " info`; " + p.starts()
	case local:
		return "see whether it runs: `docker -H " + p.endpoint + " version`; " + p.starts()
	}
	return "see whether it answers: `docker -H " + p.endpoint + " version`; it is started on " + p.host() +
		", and must be told to listen at that address"
}

// sshTarget is what ssh takes of an address: a port is its flag, a path is nothing to
// it.
func sshTarget(address string) string {
	address, _, _ = strings.Cut(address, "/")
	at := strings.LastIndexByte(address, '@') + 1
	host, port, ok := strings.Cut(address[at:], ":")
	if !ok || strings.Contains(port, ":") {
		return address
	}
	return "-p " + port + " " + address[:at] + host
}

func (p place) admin() string {
	if p.OS == "windows" {
		return ""
	}
	return "sudo "
}

// starts says how an engine of this machine is started.
func (p place) starts() string {
	name := "docker"
	switch {
	case p.kind == containersv1alpha1.EngineContainerd:
		name = "containerd"
	case p.podman():
		name = "podman"
	}
	switch {
	case p.OS == "windows" && name == "docker":
		return "start Docker Desktop, or in an administrator's PowerShell `Start-Service docker`"
	case p.OS == "windows" && name == "containerd":
		return "in an administrator's PowerShell `Start-Service containerd` starts it"
	case (p.OS == "windows" || p.OS == "darwin") && name == "podman":
		return "`podman machine start` starts it"
	case p.OS == "darwin":
		return "start the program that it belongs to, such as Docker Desktop"
	}
	return p.startsOnLinux(name)
}

func (p place) startsOnLinux(name string) string {
	switch {
	case name == "podman" && p.Systemd && p.rootless():
		return "`systemctl --user start podman.socket` starts it"
	case name == "podman" && p.Systemd:
		return "`sudo systemctl start podman.socket` starts it"
	case name == "podman" && p.rootless():
		return "`podman system service --time 0 " + p.endpoint + "` starts it"
	case name == "podman":
		return "`sudo podman system service --time 0 " + p.endpoint + "` starts it"
	case p.rootless() && p.Systemd:
		return "`systemctl --user start " + name + "` starts it"
	case p.rootless() && name == "docker":
		return "`dockerd-rootless.sh` starts it"
	case p.Systemd:
		return "`sudo systemctl start " + name + "` starts the one of this machine"
	}
	return "`sudo service " + name + " start` starts the one of this machine"
}

// log says where the engine's own log is.
func (p place) log() string {
	_, local := socketPath(p.endpoint)
	switch {
	case p.inVM:
		return "`{rdd} shell sudo journalctl -u " + p.unit + "`"
	case p.kind == containersv1alpha1.EngineSimulated:
		return "its file"
	case !local:
		return "the log of the engine on " + p.host()
	case !p.Systemd || p.OS != "linux":
		return "the engine's own log"
	case p.kind == containersv1alpha1.EngineContainerd:
		return "`sudo journalctl -u containerd`"
	case p.podman() && p.rootless():
		return "`journalctl --user -u podman`"
	case p.podman():
		return "`sudo journalctl -u podman`"
	case p.rootless():
		return "`journalctl --user -u docker`"
	}
	return "`sudo journalctl -u docker`"
}

// removes is the engine's own command that removes a container by force; empty if
// there is none to name.
func (p place) removes() string {
	switch {
	case p.kind == containersv1alpha1.EngineSimulated:
		return ""
	case p.inVM && p.unit == "containerd":
		return "{rdd} shell sudo ctr task kill --signal SIGKILL"
	case p.kind == containersv1alpha1.EngineContainerd:
		return "sudo ctr task kill --signal SIGKILL"
	case p.podman():
		return "podman rm -f"
	}
	return "docker rm -f"
}

// permits says what to do if the user may not use a local socket, of which members of
// a group, empty for none, may.
func (p place) permits(group string) string {
	path, _ := socketPath(p.endpoint)
	switch {
	case strings.HasPrefix(p.endpoint, "npipe:"):
		return "in an administrator's shell `net localgroup docker-users %USERNAME% /add` makes you a member of the group that may; " +
			"log out and in again, then `{rdd} service stop` and `{rdd} service start`"
	case group != "":
		return joinGroup(group) + ", then `{rdd} service stop` and `{rdd} service start`"
	case p.podman():
		return "that is root's; your own is enabled by `systemctl --user enable --now podman.socket`, and named by " +
			"`{rdd} set containerEngine.endpoint=unix:///run/user/$(id -u)/podman/podman.sock`"
	case p.kind == containersv1alpha1.EngineContainerd:
		return "`ls -l " + path + "` says who may; `gid` below `[grpc]` in /etc/containerd/config.toml gives the socket to a group " +
			"that you are in, or use an engine of your own: `{rdd} set containerEngine.endpoint=…`"
	}
	return "`ls -l " + path + "` says who may; have the engine give its socket to a group that you are in, or name an engine of your own: " +
		"`{rdd} set containerEngine.endpoint=…`"
}

// joinGroup says how to become a member of a group.
func joinGroup(group string) string {
	return "`sudo usermod -aG " + group + " $USER` makes you a member of the group that may; log out and in again, as a group counts " +
		"from the next login on (in one shell `newgrp " + group + "` is enough)"
}

// Permits says what to do if the user may not use the socket of a Docker engine of
// this machine, of which members of a group, empty for none, may. command is how the
// user calls rdd.
func Permits(endpoint, group, command string) string {
	p := place{kind: containersv1alpha1.EngineMoby, endpoint: endpoint}
	if group == "" {
		return arguments{"rdd", command}.fill(p.permits(""))
	}
	return joinGroup(group)
}

// denied says that a start would find no engine that the user may use.
func (o *Observed) denied() []evidence {
	if o.Denied == "" {
		return nil
	}
	at := place{System: o.System, kind: containersv1alpha1.EngineMoby, endpoint: o.Denied}
	words := "no engine is chosen yet, and you may not use the one at " + o.Denied + ": permission denied"
	group := o.Groups[o.Denied]
	if group != "" {
		words += ": it is for members of the group " + group
	}
	return []evidence{{subject: theHost(), state: o.Denied, args: arguments{"error", words, "how", o.typed(at.permits(group))}}}
}

// permits says what to do if the user may not use an engine's socket.
func permits(o *Observed, e *containersv1alpha1.ContainerEngine) string {
	return o.placeOf(e).permits(o.Groups[e.Spec.Endpoint])
}

// answers says what to do about an engine that does not answer.
func answers(o *Observed, e *containersv1alpha1.ContainerEngine) string {
	at := o.placeOf(e)
	switch remedy := at.answers(); {
	case at.inVM:
		return remedy
	case o.App != nil && metav1.IsControlledBy(e, o.App):
		return remedy + ". Or name another engine: `{rdd} set containerEngine.endpoint=…`"
	default:
		return remedy + ". Or name another engine: `{rdd} ctl edit containerengine -n " + e.Namespace + " " + e.Name + "`"
	}
}

// otherKind says what to do about an endpoint at which another kind of engine answers.
func otherKind(o *Observed, e *containersv1alpha1.ContainerEngine) string {
	kind, socket := containersv1alpha1.EngineContainerd, "unix:///var/run/docker.sock"
	if e.Spec.Type == containersv1alpha1.EngineContainerd {
		kind, socket = containersv1alpha1.EngineMoby, "unix:///run/containerd/containerd.sock"
	}
	if o.App != nil && metav1.IsControlledBy(e, o.App) {
		return "`{rdd} set containerEngine.name=" + string(kind) + "` connects to it as what it is; or name the socket of " + string(e.Spec.Type) +
			", most often: `{rdd} set containerEngine.endpoint=" + socket + "`"
	}
	return "make a ContainerEngine of the type " + string(kind) + " for this endpoint; or name the socket of " + string(e.Spec.Type) + ", most often " +
		socket + ": `{rdd} ctl edit containerengine -n " + e.Namespace + " " + e.Name + "`"
}

// typed fills in how the user calls rdd.
func (o *Observed) typed(remedy string) string { return arguments{"rdd", o.Command}.fill(remedy) }

// howToMakeRoom says which engines of this machine have something to remove.
func (o *Observed) howToMakeRoom() string {
	docker, vm, containerd := len(o.Engines) == 0, false, false
	for i := range o.Engines {
		at := o.placeOf(&o.Engines[i])
		_, local := socketPath(at.endpoint)
		switch {
		case at.inVM:
			vm = true
		case local && at.kind == containersv1alpha1.EngineMoby:
			docker = true
		case local && at.kind == containersv1alpha1.EngineContainerd:
			containerd = true
		}
	}
	switch {
	case docker:
		return "`docker system df` shows what images and containers take, `docker system prune` removes what is not used"
	case containerd:
		return "`sudo ctr namespaces ls` and `sudo ctr -n NAMESPACE images ls` show what takes it"
	case vm:
		return "the disk of the virtual machine grows with what is in it; remove what is not used, there and elsewhere"
	}
	return "no engine of this machine takes it; remove what is not used"
}
