// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// works is the answer to what is a command.
const works = ""

// typed is what people type who know docker, kubectl, colima, podman machine, limactl
// or rdctl, and the command of rdd that does it.
var typed = map[string]string{
	// The machine.
	"up": "start", "init": "start", "launch": "start", "install": "start", "down": "stop", "halt": "stop", "shutdown": "stop", "suspend": "stop",
	"ssh": "shell", "sh": "shell", "bash": "shell", "console": "shell", "info": "status", "doctor": "status", "ui": "status --watch",
	"ls": "ps|list", "ps": works, "list": works, "instances": works, "profiles": "list", "settings": "get|set", "config": "get|set|service config",
	"list-settings": "get", "kubeconfig": "service config", "docker-env": "env", "factory-reset": "uninstall", "purge": "uninstall",
	"destroy": "delete", "update": "upgrade --check", "support": "diagnose", "daemon": "service", "autostart": "service enable", "paths": "service paths",
	"machine init": "start", "machine start": "start", "machine stop": "stop", "machine ssh": "shell", "machine ls": "list", "machine list": "list",
	"machine rm": "delete", "machine set --cpus 4": "set", "machine inspect": "get", "machine info": "status", "machine reset": "reset",
	"start": works, "start --cpus 4 --memory 8": works, "start --cpus 4 --memory 8Gi --disk 100 --mount ~/src:w": works, "start --engine containerd": works,
	"start --cpu 4": "start --cpus N", "start -c 4": "start --cpus N", "start --runtime containerd": "start --engine NAME", "start -p other": "--instance NAME start",
	"start web": "container start web|limavm start web", "stop": works, "stop web": "container stop web|limavm stop web", "stop --force": "stop",
	"delete --force": "delete --yes", "delete web": "rm web|limavm delete web|ctl delete web", "status": works, "version": works, "--version": works,
	"ssh-config": "limavm list", "restart": "restart …|limavm restart rd", "snapshot create x": "", "reboot": "stop && rdd start", "top": "docker stats",
	// Docker's words.
	"system prune": "docker system prune", "system prune -af": "docker system prune", "system df": "docker system df", "system info": "status", "stats": "docker stats",
	"container ls": works, "container ls -a": works, "container rm web": works, "container stop web": works, "container prune": "docker container prune",
	"image ls": works, "image rm x": works, "image prune -a": "docker image prune", "volume ls": works, "volume create v": "docker volume create v",
	"network ls": "docker network ls", "network create n": "docker network create n", "networks": "docker network ls", "build .": "docker build .",
	"build -t x .": "docker build -t x .", "compose up -d": "docker compose up -d", "docker-compose up": "docker compose up", "rm web": works, "rm -f web": works,
	"rmi x": works, "pull nginx": "docker pull nginx", "push x": "docker push x", "tag a b": "docker tag a b", "login": "docker login …", "logout": "docker logout …",
	"inspect web": works, "cp a:/b c": "docker cp a:/b c", "port web": "docker port web", "kill web": "docker kill web", "pause web": works,
	"unpause web": works, "rename a b": "docker rename a b", "restart web": works, "wait web": "docker wait web", "events": "docker events …",
	"history x": "docker history x", "save x": "docker save x", "load -i x": "docker load -i x", "commit a b": "docker commit a b", "search nginx": "docker search nginx",
	"attach web": "docker attach web", "create nginx": "docker create nginx", "prune": "docker prune …", "context ls": "docker context ls",
	"run -it alpine sh": "docker run -it alpine sh", "run --rm -p 80:80 nginx": "docker run --rm -p 80:80 nginx", "run -d nginx": "docker run -d nginx",
	"run docker ps": works, "docker ps -a": works, "docker run --rm x": works, "nerdctl ps": works, "helm list": works, "podman ps": "run podman ps",
	"images": works, "volumes": works, "logs web": works, "logs -f web": works, "exec -it web sh": works, "containers": "ps", "exec web 'a b'": works,
	// Kubernetes' words.
	"apply -f x.yaml": "ctl apply -f x.yaml", "describe container web": "ctl describe container web", "explain app": "ctl explain app", "api-resources": "ctl api-resources …",
	"create -f x.yaml": "ctl create -f x.yaml", "delete -f x.yaml": "delete --yes|ctl delete -f x.yaml", "config view": "service config|kubectl config view",
	"config use-context x": "kubectl config use-context x", "config get-contexts": "kubectl config get-contexts", "cluster-info": "ctl cluster-info …",
	"get": works, "get virtualMachine.cpus": works, "k get pods": "ctl get pods", "nodes": "", "port-forward x 80": "ps", "patch app/app": "ctl patch app/app",
	"label x a=b": "ctl label x a=b", "wait --for=condition=Ready x": "ctl wait --for=condition=Ready x", "kubectl get pods": works, "ctl get pods": works, "scale x": "ctl scale x",
	// Below other commands.
	"service logs": works, "svc logs": works, "svc status": works, "service restart": "service stop && rdd service start", "service install": "service enable", "service ls": "list",
	"limavm ls": "limavm list", "limavm rm web": "limavm delete web", "limavm ssh web": "limavm shell web", "limavm logs web": works, "lima list": works, "vm list": works,
	"lima create web lima.yaml": works, "limavm create web my-config --dry-run": works, "limavm inspect web": "limavm list --output yaml",
}

var inBackquotes = regexp.MustCompile("`rdd ([^`]*)`")

// TestTyped: what people type is a command, or gets one line with the right command,
// which is one.
func TestTyped(t *testing.T) {
	if len(typed) < 120 {
		t.Errorf("there are only %d", len(typed))
	}
	for line, want := range typed {
		words := strings.Fields(line)
		ran, err := try(words)
		if want == works && ran {
			continue
		}
		if ran || err == nil {
			t.Errorf("rdd %s is run; want `rdd %s`", line, want)
			continue
		}
		text := err.Error()
		if fault.ExitCode(err) != fault.ExitUsage || strings.Contains(text, "\n") {
			t.Errorf("rdd %s: exit code %d, %q", line, fault.ExitCode(err), text)
		}
		var got []string
		for _, match := range inBackquotes.FindAllStringSubmatch(text, -1) {
			got = append(got, match[1])
			for part := range strings.SplitSeq(match[1], " && rdd ") {
				if !strings.Contains(part, "…") && !strings.Contains(part, " N") {
					checkExample(t, "rdd "+part)
				}
			}
		}
		if strings.Join(got, "|") != want || strings.Count(text, "did you mean") > 1 {
			t.Errorf("rdd %s: %q, want `%s`", line, text, want)
		}
	}
}

// try reports whether a command line is one that runs a command, which it does not do.
func try(words []string) (ran bool, err error) {
	for _, name := range []string{"docker", "nerdctl", "helm", "kubectl", "ctl"} {
		if _, _, ok := splitAt(name, words); ok {
			return true, nil
		}
	}
	root := Commands(Config{})
	eachCommand(root, func(cmd *cobra.Command) {
		cmd.PersistentPreRunE = nil
		if !cmd.HasSubCommands() {
			cmd.RunE = func(*cobra.Command, []string) error {
				ran = true
				return nil
			}
		}
	})
	root.RunE = func(*cobra.Command, []string) error {
		ran = true
		return nil
	}
	answerHabits(root, words)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	root.SetArgs(slices.Clone(words))
	err = root.Execute()
	return ran, err
}

// TestAnswersKeepTheInstance: the command of an answer is for the same instance.
func TestAnswersKeepTheInstance(t *testing.T) {
	_, err := try([]string{"--instance", "work", "ssh"})
	if err == nil || !strings.Contains(err.Error(), "did you mean `rdd --instance work shell`?") {
		t.Error(err)
	}
	_, err = try([]string{"attach", "a b", "$(x)", "it's"})
	if err == nil || !strings.Contains(err.Error(), `attach 'a b' '$(x)' 'it'\''s'`) {
		t.Error(err)
	}
	_, err = try([]string{"attach", strings.Repeat("x", 1000)})
	if err == nil || len(err.Error()) > 200 {
		t.Error(err)
	}
	if _, err = try([]string{"start", "--cpsu", "3"}); err == nil || !strings.Contains(err.Error(), "did you mean --cpus?") {
		t.Error(err)
	}
}

func TestTypedFormat(t *testing.T) {
	for line, want := range map[string]string{
		"ps --log-format json": "json", "--log-format=json x": "json", "exec x -- y --log-format json": "", "ps": "", "ps --log-format": "",
		"--log-format json --log-format text": "text",
	} {
		if got := typedFormat(strings.Fields(line)); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestStartSettings(t *testing.T) {
	for line, want := range map[string]string{
		"--cpus 4 --memory 8":                 "virtualMachine.cpus=4 virtualMachine.memory=8Gi",
		"--memory 1.5 --disk 0":               "virtualMachine.memory=1.5Gi virtualMachine.disk=0",
		"--memory 512Mi --disk 0.0":           "virtualMachine.memory=512Mi virtualMachine.disk=0.0",
		"--endpoint= --engine moby":           "containerEngine.name=moby containerEngine.endpoint=",
		"--mount /a:w --mount ~/b":            `virtualMachine.mounts=[{"location":"/a","writable":true},{"location":"~/b"}]`,
		"--cpus=":                             "error",
		"--mount :w":                          "error",
		"--endpoint ssh://user@host --cpus x": "virtualMachine.cpus=x containerEngine.endpoint=ssh://user@host", // the schema refuses it
	} {
		var s startSettings
		cmd := &cobra.Command{}
		addStartSettings(cmd, &s)
		if err := cmd.ParseFlags(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		assignments, err := s.assignments(cmd)
		got := strings.Join(assignments, " ")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
