// SPDX-License-Identifier: Apache-2.0

package habits

// entry is one row of the table.
type entry struct {
	// commands has, for each command that the user may mean, its names in order of
	// preference: the first that exists is taken.
	commands [][]string
	note     string
}

// longest is how many words a key of the table has at most.
const longest = 3

// one is an entry with one command, by the first of the names that exists.
func one(names ...string) entry { return entry{commands: [][]string{names}} }

// either is an entry with several commands.
func either(commands ...string) entry {
	e := entry{}
	for _, command := range commands {
		e.commands = append(e.commands, []string{command})
	}
	return e
}

// because is an entry with a reason.
func because(note string, commands ...string) entry {
	e := either(commands...)
	e.note = note
	return e
}

// docker is an entry for a command of docker that rdd has under the same or no name.
func docker(words string) entry { return one(words+" "+rest, "docker "+words+" "+rest) }

const (
	noPods    = "rdd's API server has no Pods"
	noCluster = "rdd has no Kubernetes cluster of its own"
)

// table has the first words of what users type. A word that is a command of rdd is
// looked up only if the command refuses its arguments. The last word of a key may
// be a flag, or - for every flag.
var table = merged(machineWords(), dockerWords(), kubectlWords(), flagWords())

func merged(tables ...map[string]entry) map[string]entry {
	all := map[string]entry{}
	for _, table := range tables {
		for words, entry := range table {
			all[words] = entry
		}
	}
	return all
}

// machineWords are those of colima, podman machine, limactl, minikube, multipass
// and rdctl.
func machineWords() map[string]entry {
	start, stop, shell, list := one("start"), one("stop"), one("shell"), one("list")
	return map[string]entry{
		"up": start, "init": start, "boot": start, "launch": start, "install": start, "setup": start, "open": start,
		"down": stop, "halt": stop, "shutdown": stop, "poweroff": stop, "quit": stop, "suspend": stop,
		"ssh": shell, "sh": shell, "bash": shell, "console": shell, "connect": shell, "lima": shell,
		"enter": shell, "ssh-config": one("limavm list"), "show-ssh": one("limavm list"),
		"machine": one("limavm"), "machine init": start, "machine create": start, "machine start": start, "machine stop": stop,
		"machine ssh": shell, "machine list": list, "machine ls": list, "machine rm": one("delete"), "machine reset": one("reset"),
		"machine set": one("set"), "machine inspect": one("get"), "machine info": one("status"), "machine os": shell,
		"machine cp": one("cp "+rest, "docker cp "+rest),
		"reboot":     either("stop && rdd start"), "reload": either("stop && rdd start"),
		"info": one("status"), "state": one("status"), "st": one("status"), "health": one("status"), "doctor": one("status"),
		"ui": one("dashboard", "status --watch"), "gui": one("dashboard", "status --watch"), "dashboard": one("dashboard", "status --watch"),
		"top":       one("top", "docker stats"),
		"instances": list, "profile": list, "profiles": list, "vms": one("limavm list"), "ls": either("ps", "list"),
		"settings": either("get", "set"), "config": either("get", "set", "service config"),
		"list-settings": one("get"), "property": one("get"), "unset": one("set"),
		"settings edit": one("set"), "config edit": one("set"), "template": one("limavm create " + rest),
		"paths": one("service paths"), "logfile": one("service log"), "log": either("service log", "logs "+rest),
		"kubeconfig": one("service config"), "docker-env": one("env"), "podman-env": one("env"), "environment": one("env"),
		"factory-reset": one("uninstall"), "purge": one("uninstall"), "destroy": one("delete"), "remove": one("delete"),
		"support": one("diagnose"), "report": one("diagnose"), "bugreport": one("diagnose"), "bug-report": one("diagnose"), "diagnostics": one("diagnose"),
		"update": one("upgrade --check"), "self-update": one("upgrade --check"),
		"daemon": one("service"), "server": one("service"), "autostart": one("service enable"), "enable": one("service enable"), "disable": one("service disable"),
		"serve": one("service serve"), "rotate": one("service rotate"),
		"disk": one("df", "status"), "ip": one("status"), "edit": one("set"), "validate": one("limavm create NAME " + rest),
		"snapshot":   because("rdd takes no snapshots of virtual machines"),
		"extension":  because("rdd has no extensions"),
		"extensions": because("rdd has no extensions"),
		"tunnel":     because("ports of containers are on 127.0.0.1 already", "ps"),
	}
}

// dockerWords are those of docker, podman and nerdctl that are not rdd's.
func dockerWords() map[string]entry {
	words := map[string]entry{
		"stats": one("top", "docker stats"), "who": one("status"), "compose": one("docker compose " + rest),
		"system": one("docker system " + rest), "system prune": one("prune", "docker system prune"), "system df": one("df", "docker system df"),
		"system info": one("status"), "system events": one("events", "docker events"), "system connection": one("env"),
		"container": one("ps"), "container ls": one("ps"), "container list": one("ps"), "container ps": one("ps"),
		"container logs": one("logs " + rest), "container exec": one("exec " + rest), "container run": one("docker run " + rest),
		"container prune": one("prune", "docker container prune"), "container stats": one("top", "docker stats"),
		"image": one("images"), "image ls": one("images"), "image list": one("images"), "image prune": one("prune", "docker image prune"),
		"volume": one("volumes"), "volume ls": one("volumes"), "volume list": one("volumes"), "volume prune": one("prune", "docker volume prune"),
		"network": one("networks", "docker network "+rest), "network ls": one("networks", "docker network ls"), "networks": one("networks", "docker network ls"),
		"containers": one("ps"), "dps": one("ps"), "psa": one("ps"), "volumes ls": one("volumes"), "images ls": one("images"),
		"context": one("docker context " + rest), "machines": one("limavm list"), "buildx": one("docker buildx " + rest),
		"shell-init": one("env"), "nerd": one("nerdctl " + rest), "crictl": one("nerdctl " + rest), "ctr": one("nerdctl " + rest),
		"podman": one("run podman " + rest), "docker-compose": one("docker compose " + rest), "dockerd": one("service serve"),
		"scan": one("docker scout " + rest), "play": because(noPods), "pod": because(noPods), "pods": because(noPods, "ps"),
	}
	for _, word := range []string{
		"attach", "build", "builder", "checkpoint", "commit", "cp", "create", "diff", "events", "export", "history", "import", "inspect", "kill",
		"load", "login", "logout", "manifest", "pause", "plugin", "port", "prune", "pull", "push", "rename", "restart", "rm", "rmi", "save", "search",
		"swarm", "tag", "trust", "unpause", "wait",
	} {
		words[word] = docker(word)
	}
	words["restart"] = entry{commands: [][]string{{"restart " + rest, "docker restart " + rest}, {"limavm restart rd"}}}
	for _, kind := range []string{"container", "image", "volume", "network"} {
		for _, verb := range []string{
			"create", "inspect", "rm", "start", "stop", "restart", "pause", "unpause", "kill", "rename", "wait", "tag",
			"pull", "push", "build", "save", "load", "history", "import", "export", "commit", "cp", "diff", "port", "top", "attach", "update", "connect", "disconnect",
		} {
			words[kind+" "+verb] = docker(kind + " " + verb)
		}
	}
	return words
}

// kubectlWords are those of kubectl, helm and k3s.
func kubectlWords() map[string]entry {
	words := map[string]entry{
		"config view": either("service config", "kubectl config view"), "config use-context": one("kubectl config use-context " + rest),
		"config get-contexts": one("kubectl config get-contexts"), "config current-context": one("kubectl config current-context"),
		"config set": one("set " + rest), "config get": one("get " + rest), "config list": one("get"),
		"create -f": one("ctl create " + rest), "wait --for": one("ctl wait " + rest), "events -A": one("ctl events " + rest),
		"logs deploy/": because(noPods), "attach -it": one("docker attach " + rest), "kubernetes": because(noCluster, "kubectl "+rest),
		"k3s": because(noCluster, "kubectl "+rest), "k8s": because(noCluster, "kubectl "+rest), "cluster": because(noCluster, "kubectl "+rest),
		"k": one("ctl " + rest), "kc": one("ctl " + rest), "drain": because(noCluster), "cordon": because(noCluster), "node": because(noCluster), "nodes": because(noCluster),
		"scale": because(noPods, "ctl scale "+rest), "rollout": because(noPods, "ctl rollout "+rest), "expose": because(noPods), "autoscale": because(noPods),
		"port-forward": because("ports of containers are on 127.0.0.1 already", "ps"), "debug": one("exec " + rest),
		"delete -f": one("ctl delete " + rest), "delete --all": one("delete"), "ctl-wait": one("ctl wait " + rest), "wait-condition": one("ctl wait-condition " + rest),
	}
	for _, word := range []string{
		"annotate", "api-resources", "api-versions", "apply", "auth", "certificate", "cluster-info", "describe",
		"explain", "kustomize", "label", "options", "patch", "proxy", "replace", "taint",
	} {
		words[word] = one("ctl " + word + " " + rest)
	}
	return words
}

// flagWords are words that follow a command of rdd, and flags of other programs'
// commands of the same name.
func flagWords() map[string]entry {
	profile := because("the flag for another instance is --instance, before the command", "--instance NAME start")
	words := map[string]entry{
		"run -":       one("docker run " + rest),
		"start --cpu": one("start --cpus N"), "start -c": one("start --cpus N"), "start -m": one("start --memory N"), "start --mem": one("start --memory N"),
		"start -d": one("start --disk N"), "start --disk-size": one("start --disk N"), "start -r": one("start --engine NAME"), "start --runtime": one("start --engine NAME"),
		"start -v": one("start --mount DIR:w"), "start --volume": one("start --mount DIR:w"), "start -V": one("start --mount DIR:w"),
		"start -p": profile, "start --profile": profile, "start --name": profile,
		"start -e": one("set"), "start --edit": one("set"), "start -f": one("start"), "start --foreground": one("service serve"),
		"start -k": because(noCluster), "start --kubernetes": because(noCluster), "start --with-kubernetes": because(noCluster),
		"stop --force": one("stop"), "stop -f": one("stop"), "stop -t": one("container stop "+rest, "docker stop "+rest), "stop --all": one("stop"),
		"delete --force": one("delete --yes"), "delete -f": one("delete --yes"), "reset --force": one("reset --yes"), "reset -f": one("reset --yes"),
		"delete":    {commands: [][]string{{"rm " + rest, "docker rm " + rest}, {"limavm delete " + rest}, {"ctl delete " + rest}}},
		"start":     {commands: [][]string{{"container start " + rest, "docker start " + rest}, {"limavm start " + rest}}},
		"stop":      {commands: [][]string{{"container stop " + rest, "docker stop " + rest}, {"limavm stop " + rest}}},
		"images rm": one("rmi "+rest, "docker rmi "+rest), "volumes rm": one("volume rm "+rest, "docker volume rm "+rest),
		"ps rm":           one("rm "+rest, "docker rm "+rest),
		"service restart": either("service stop && rdd service start"), "service up": one("service start"), "service down": one("service stop"),
		"service install": one("service enable"), "service uninstall": one("service disable"), "service info": one("service status"), "service ls": one("list"),
		"service list": one("list"), "service rm": one("service delete"), "service kubeconfig": one("service config"), "service run": one("service serve"),
		"limavm ls": one("limavm list"), "limavm rm": one("limavm delete " + rest), "limavm ssh": one("limavm shell " + rest), "limavm info": one("limavm list"),
		"limavm inspect": one("limavm list --output yaml"), "limavm set": one("limavm edit " + rest), "limavm status": one("limavm list"), "limavm init": one("limavm create " + rest),
		"limavm run": one("limavm shell " + rest), "limavm up": one("limavm start " + rest), "limavm down": one("limavm stop " + rest),
	}
	words["delete -f"] = entry{commands: [][]string{{"delete --yes"}, {"ctl delete " + rest}}}
	return words
}
