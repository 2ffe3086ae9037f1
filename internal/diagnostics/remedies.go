// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
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
	kind     containersv1alpha1.EngineType
	endpoint string
	inVM     bool   // in the App's virtual machine
	unit     string // the engine's systemd unit there
}

func (d *diagnosis) placeOf(e *containersv1alpha1.ContainerEngine) place {
	return place{System: d.System, kind: e.Spec.Type, endpoint: e.Spec.Endpoint, unit: d.unit(),
		inVM: WantsVM(d.App) && metav1.IsControlledBy(e, d.App)}
}

// rest returns what follows a scheme, and whether the endpoint has it.
func (p place) rest(scheme string) (string, bool) { return strings.CutPrefix(p.endpoint, scheme+"://") }

func (p place) podman() bool { return strings.Contains(p.endpoint, "podman") }

// rootless reports whether a local socket belongs to a user's own engine.
func (p place) rootless() bool { return strings.Contains(p.endpoint, "/run/user/") }

// host returns the host of an endpoint that names one.
func (p place) host() string {
	if u, err := url.Parse(p.endpoint); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "its machine"
}

// answers returns how to check whether the engine answers, and how to start it.
func (p place) answers() string {
	path, local := socketPath(p.endpoint)
	address, ssh := p.rest("ssh")
	switch {
	case p.inVM:
		return "the engine runs in the virtual machine: `{rdd} shell sudo systemctl status " + p.unit + "` shows its status, and " +
			"`{rdd} limavm restart rd` restarts both"
	case p.kind == containersv1alpha1.EngineSimulated:
		return "see whether the file is there and can be read: RDD reads it again when it changes (docs/simulated.md)"
	case ssh:
		return "see whether the host and its engine answer: `docker -H " + p.endpoint + " version`, and `ssh " + sshTarget(address) +
			"` for errors of the connection; start the engine on that host"
	case p.kind == containersv1alpha1.EngineContainerd && local:
		return "check that it runs: `" + p.admin() + "ctr --address " + path + " version`; " + p.starts()
	case local && p.podman():
		return "check that it runs: `podman --url " + p.endpoint + " info`; " + p.starts()
	case local:
		return "check that it runs: `docker -H " + p.endpoint + " version`; " + p.starts()
	}
	return "check that it answers: `docker -H " + p.endpoint + " version`; start it on " + p.host() +
		", and configure it to listen at that address"
}

// sshTarget returns the arguments of ssh for an address: the port as a flag, and no
// path.
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

// starts returns how to start an engine on this machine.
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
		return "start the program that provides it, such as Docker Desktop"
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
		return "`sudo systemctl start " + name + "` starts the engine of this machine"
	}
	return "`sudo service " + name + " start` starts the engine of this machine"
}

// log returns where the engine's log is.
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

// removes returns the engine's command that forces the removal of a container;
// empty if there is none.
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

// permits returns what to do if the user has no permission for a local socket.
// Members of the group have it; empty for none.
func (p place) permits(group string) string {
	path, _ := socketPath(p.endpoint)
	switch {
	case strings.HasPrefix(p.endpoint, "npipe:"):
		return "in an administrator's shell `net localgroup docker-users %USERNAME% /add` adds you to the group that may use it; " +
			"log out and in again, then `{rdd} service stop` and `{rdd} service start`"
	case group != "":
		return joinGroup(group) + ", then `{rdd} service stop` and `{rdd} service start`"
	case p.podman():
		return "the socket belongs to root; enable your own with `systemctl --user enable --now podman.socket`, and use it with " +
			"`{rdd} set containerEngine.endpoint=unix:///run/user/$(id -u)/podman/podman.sock`"
	case p.kind == containersv1alpha1.EngineContainerd:
		return "`ls -l " + path + "` shows the permissions; `gid` below `[grpc]` in /etc/containerd/config.toml gives the socket to a group " +
			"that you are in, or use an engine of your own: `{rdd} set containerEngine.endpoint=…`"
	}
	return "`ls -l " + path + "` shows the permissions; configure the engine to give its socket to a group that you are in, or use an engine of your own: " +
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
func Permits(endpoint, group, command string) string {
	p := place{kind: containersv1alpha1.EngineMoby, endpoint: endpoint}
	if group == "" {
		return arguments{"rdd", command}.fill(p.permits(""))
	}
	return joinGroup(group)
}

// denied adds that the user has no permission for the engine that `rdd start` would
// choose.
func (d *diagnosis) denied() {
	if d.Denied == "" {
		return
	}
	at := place{System: d.System, kind: containersv1alpha1.EngineMoby, endpoint: d.Denied}
	message := "no engine is configured, and you have no permission to use the one at " + d.Denied + ": permission denied"
	group := d.Groups[d.Denied]
	if group != "" {
		message += ": it is for members of the group " + group
	}
	d.add(SocketNotPermitted, theHost(), d.Denied, "error", message, "how", arguments{"rdd", d.Command}.fill(at.permits(group)))
}

// how returns what to do about an engine that does not answer.
func (d *diagnosis) how(code Code, e *containersv1alpha1.ContainerEngine, at place) string {
	remedy := at.answers()
	switch {
	case code == SocketNotPermitted:
		remedy = at.permits(d.Groups[e.Spec.Endpoint])
	case at.inVM:
	case d.App != nil && metav1.IsControlledBy(e, d.App):
		remedy += ". Or use another engine: `{rdd} set containerEngine.endpoint=…`"
	default:
		remedy += ". Or use another engine: `{rdd} ctl edit containerengine -n " + e.Namespace + " " + e.Name + "`"
	}
	return arguments{"rdd", d.Command}.fill(remedy)
}

// howToMakeRoom returns how to free space in the engines of this machine.
func (d *diagnosis) howToMakeRoom() string {
	docker, vm, containerd := len(d.Engines) == 0, false, false
	for i := range d.Engines {
		at := d.placeOf(&d.Engines[i])
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
		return "`docker system df` shows the space of images and containers, `docker system prune` removes unused ones"
	case containerd:
		return "`sudo ctr namespaces ls` and `sudo ctr -n NAMESPACE images ls` show what uses it"
	case vm:
		return "the disk of the virtual machine grows with its content; remove unused files, there and elsewhere"
	}
	return "no engine of this machine uses it; remove unused files"
}
