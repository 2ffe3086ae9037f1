// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// dockerCommands are the docker commands to compare with: those that are installed of the
// machine's own and Debian's.
func dockerCommands(t *testing.T) []string {
	var found []string
	for _, path := range []string{"/usr/local/bin/docker", "/usr/bin/docker"} {
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		t.Fatal("no docker command: apt-get install docker.io")
	}
	return found
}

// likeDocker compares rdd with a docker command on the same engine.
type likeDocker struct {
	*home
	docker  string
	engine  *dockerd.Engine
	program dockerd.Program
}

// ask runs the docker command, which must succeed.
func (d *likeDocker) ask(args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.docker, append([]string{"-H", d.engine.Endpoint()}, args...)...)
	cmd.Env = d.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("docker %q: %v %s", args, err, stderr.String())
	}
	return string(out)
}

// seconds are durations that differ if the two commands run in different seconds, and
// as objects have whole seconds.
var (
	seconds = regexp.MustCompile(`Less than a second|\b1 second|\d+ seconds|About a minute`)
	gaps    = regexp.MustCompile(` {3,}`)
)

func steadied(text string) string {
	text = strings.ReplaceAll(text, "[::]:", ":::") // as docker 20.10 writes it
	lines := strings.Split(gaps.ReplaceAllString(seconds.ReplaceAllString(text, "T"), "   "), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// equal makes sure that both commands print the same.
func (d *likeDocker) equal(convert func(string) string, docker, rdd []string) {
	d.t.Helper()
	var want, got string
	for range 8 {
		want = steadied(convert(d.ask(docker...)))
		got = steadied(convert(d.ok(rdd...)))
		if got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Errorf("docker %q\n%srdd %q\n%s", docker, want, rdd, got)
}

func same(s string) string { return s }

// sortedLines is for lists whose order Docker's commands leave open.
func sortedLines(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// withoutEngine removes the column that docker does not have.
func withoutEngine(s string) string {
	return regexp.MustCompile(`(?m) +(ENGINE|rancher-desktop/moby)$`).ReplaceAllString(s, "")
}

// fields converts lines of JSON to those fields that all versions have, and that objects
// answer.
func fields(names ...string) func(string) string {
	return func(s string) string {
		var lines []string
		for line := range strings.Lines(s) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				return "not JSON: " + line
			}
			var cells []string
			for _, name := range names {
				cells = append(cells, fmt.Sprint(name, "=", object[name]))
			}
			lines = append(lines, strings.Join(cells, " "))
		}
		return sortedLines(strings.Join(lines, "\n"))
	}
}

// TestListsEqualDocker: `rdd ps`, `images` and `volumes` print what docker prints for
// the same engine, with each filter and format.
func TestListsEqualDocker(t *testing.T) {
	t.Parallel()
	for _, program := range []dockerd.Program{dockerd.Debian, dockerd.Newest} {
		t.Run(program.String(), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			engine := dockerd.Start(t, dockerd.Config{Program: program, Network: true})
			d := &likeDocker{home: h, docker: dockerCommands(t)[0], engine: engine, program: program}
			d.populate()
			h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
			for _, path := range dockerCommands(t) {
				t.Run(path, func(t *testing.T) {
					d := &likeDocker{home: h.in(t), docker: path, engine: engine, program: program}
					t.Run("containers", func(t *testing.T) { d.in(t).containers() })
					t.Run("images", func(t *testing.T) { d.in(t).images() })
					t.Run("volumes", func(t *testing.T) { d.in(t).volumes() })
				})
			}
		})
	}
}

func (d *likeDocker) in(t *testing.T) *likeDocker {
	return &likeDocker{home: d.home.in(t), docker: d.docker, engine: d.engine, program: d.program}
}

// populate makes containers, images and volumes in many states.
func (d *likeDocker) populate() {
	image := dockerd.Image
	d.ask("network", "create", "shop_net")
	d.ask("volume", "create", "data")
	d.ask("volume", "create", "vol10", "--label", "tier=db", "--label", "odd=ü,=x")
	d.ask("volume", "create", "vol9", "--label", "tier")
	d.ask("tag", image, "registry.example.com:5000/team/app:v1")
	d.ask("tag", image, "other:old")
	d.ask("tag", image, "other:older")
	run := func(name string, args ...string) {
		time.Sleep(1100 * time.Millisecond) // objects have whole seconds, and Docker sorts by less
		d.ask(append([]string{"run", "-d", "--name", name}, args...)...)
	}
	sleep := []string{image, "sleep", "1000"}
	run("plain", sleep...)
	run("ended", image, "true")
	run("failed", image, "sh", "-c", "exit 3")
	run("paused", sleep...)
	d.ask("pause", "paused")
	run("labels", append([]string{"--label", "com.docker.compose.project=shop", "--label", "note=a b,c=d", "--label", "empty"}, sleep...)...)
	run("mounts", append([]string{"-v", "data:/data", "-v", "/tmp:/host", "-v", "/anonymous", "--tmpfs", "/scratch"}, sleep...)...)
	run("ports", append([]string{"-p", "8080:80", "-p", "127.0.0.1:8443:443/tcp", "-p", "9000-9002:9000-9002/udp", "--expose", "7000"}, sleep...)...)
	run("stopped-ports", "-p", "8081:80", image, "true")
	run("hosted", append([]string{"--network", "host", "--expose", "90"}, sleep...)...)
	run("netted", append([]string{"--network", "shop_net"}, sleep...)...)
	run("quoted", image, "sh", "-c", "echo 'a \"b\"' ; sleep 1000", "x y", "ü")
	run("healthy", append([]string{"--health-cmd", "true", "--health-interval", "1s"}, sleep...)...)
	run("unhealthy", append([]string{"--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1"}, sleep...)...)
	run("restarting", "--restart", "always", image, "false")
	time.Sleep(1100 * time.Millisecond)
	d.ask("create", "--name", "made", image, "true")
	// An image that has containers and no tag any longer, and its tag for another image.
	d.ask("commit", "-c", "LABEL maker=test", "plain", "derived:1")
	run("moved", "derived:1", "sleep", "1000")
	time.Sleep(1100 * time.Millisecond)
	d.ask("commit", "-c", "LABEL maker=other", "plain", "derived:1")
	time.Sleep(1100 * time.Millisecond)
	d.ask("commit", "plain", "newest")
	d.eventually("the health is known", func() (bool, string) {
		list := d.ask("ps", "--format", "{{.Status}}")
		return strings.Contains(list, "(healthy)") && strings.Contains(list, "(unhealthy)"), list
	})
}

// unsteady changes its state all the time: the lists of states leave it out.
const unsteady = `\b(restarting|Restarting)\b`

func withoutUnsteady(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if !regexp.MustCompile(unsteady).MatchString(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (d *likeDocker) containers() {
	compare := func(convert func(string) string, args ...string) {
		d.t.Helper()
		args = append([]string{"ps"}, args...)
		d.equal(func(s string) string { return withoutUnsteady(convert(s)) }, args, args)
	}
	for _, all := range []string{"--all=false", "--all"} {
		compare(withoutEngine, all)
		compare(withoutEngine, all, "--no-trunc")
		compare(withoutEngine, all, "--format", "table")
		for _, format := range []string{
			"{{.Names}}: {{.Image}} {{.Command}}", "{{.ID}} {{.CreatedAt}} {{.RunningFor}}", "{{.Names}} {{.Ports}}|{{.State}}",
			"{{.Names}} {{.LocalVolumes}} {{.Networks}}", `{{.Names}} {{.Label "com.docker.compose.project"}}`, "{{.Names}} {{json .Labels}}",
			"{{upper .Names}} {{pad .State 2 2}} {{truncate .ID 5}} {{.Status}}", `table {{.Names}}\t{{.Labels}}\t{{.State}}`,
			"table {{.ID}}\t{{.Names}}\t{{.Status}}\t{{.Ports}}", `{{.Names}}\t{{len .Mounts}}`, "x", `{{.Names}}{{println}}`,
		} {
			compare(same, all, "--format", format)
			compare(same, all, "--no-trunc", "--format", format)
		}
		compare(func(s string) string { return strings.ReplaceAll(s, "\n\n", "\n") }, all, "--filter", "name=plain", "--format", "raw")
		compare(fields("ID", "Names", "Image", "Command", "CreatedAt", "Ports", "State", "Labels", "LocalVolumes", "Networks"), all, "--format", "{{json .}}")
	}
	id := strings.TrimSpace(d.ask("ps", "-aq", "--no-trunc", "--filter", "name=ended"))
	for _, filter := range []string{
		"ancestor=derived:1", "ancestor=newest", "ancestor=nothing", "before=failed", "before=" + id, "since=failed", "since=" + id,
		"exited=0", "exited=3", "exited=137", "expose=7000", "expose=80/tcp", "expose=9000-9001/udp", "expose=1", "publish=8080", "publish=80",
		"publish=8000-9000", "publish=9001/udp", "health=healthy", "health=unhealthy", "health=none", "health=starting", "id=" + id[:6], "id=" + id,
		"label=empty", "label=com.docker.compose.project", "label=com.docker.compose.project=shop", "label=com.docker.compose.project=other", "label=none",
		"name=ed", "name=^ended$", "name=/ended", "name=PLAIN", "name=[", "network=shop_net", "network=host", "network=bridge", "network=other",
		"status=created", "status=running", "status=paused", "status=exited", "status=dead", "volume=data", "volume=/data", "volume=/tmp", "volume=/host", "volume=x",
	} {
		for _, all := range []string{"--all=false", "--all"} {
			compare(same, all, "--filter", filter, "--format", "{{.Names}}")
		}
	}
	compare(same, "-a", "-f", "name=ed", "-f", "status=exited", "-f", "status=paused", "-f", "exited=0", "-f", "exited=3", "-q")
	compare(same, "-a", "-f", "label=empty", "-f", "label=note=a b,c=d", "-q", "--no-trunc")
	for _, args := range [][]string{{"-n", "3", "-q"}, {"--last", "2", "--format", "{{.Names}}"}, {"-l", "-q"}, {"-n", "2", "-f", "name=ed", "-q"}, {"-n", "0", "-q"}} {
		compare(same, args...)
	}
	for _, filter := range []string{"status=x", "health=x", "exited=x", "nothing=1", "isolation=default", "is-task=true", "x", "expose=x"} {
		d.fails(2, nil, "ps", "--filter", filter)
	}
	d.fails(2, []string{"can't be combined"}, "ps", "-o", "json", "-q")
	d.fails(2, []string{"Nothing"}, "ps", "--format", "{{.Nothing}}")
	d.fails(1, []string{"nothing"}, "ps", "--filter", "since=nothing")
}

func (d *likeDocker) images() {
	compare := func(convert func(string) string, docker, rdd []string) {
		d.t.Helper()
		d.equal(func(s string) string { return sortedLines(convert(s)) }, append([]string{"images"}, docker...), append([]string{"images"}, rdd...))
	}
	both := func(convert func(string) string, args ...string) {
		d.t.Helper()
		compare(convert, args, append([]string{"-a"}, args...)) // docker 28 lists untagged images without -a
	}
	both(withoutEngine)
	both(withoutEngine, "--no-trunc")
	if d.program == dockerd.Debian { // the newest engine lists other digests than it has
		both(withoutEngine, "--digests")
	}
	for _, format := range []string{
		"{{.Repository}}:{{.Tag}}", "{{.ID}} {{.Size}}", "{{.CreatedAt}}", "{{.ID}} {{.CreatedSince}}", "{{.Containers}} {{.SharedSize}} {{.UniqueSize}}",
		"table {{.ID}}\t{{.Repository}}", `table {{.Repository}}\t{{.Tag}}\t{{.Size}}`, "{{json .Tag}}", "{{upper .Repository}}", "{{lower .ID}}", "{{truncate .Repository 3}}", "raw",
	} {
		both(same, "--format", format)
		both(same, "--no-trunc", "--format", format)
	}
	both(fields("ID", "Repository", "Tag", "CreatedAt", "Size", "Containers"), "--format", "{{json .}}")
	both(same, "-q")
	both(same, "-q", "--no-trunc")
	for _, filter := range []string{
		"before=newest", "since=other:old", "since=derived:1", "dangling=true", "dangling=false", "label=maker", "label=maker=other", "label=x",
		"reference=other", "reference=other:*", "reference=busy*:latest", "reference=registry.example.com:5000/team/app",
	} {
		both(same, "--filter", filter, "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
	}
	if d.program == dockerd.Debian { // the newest engine takes this pattern for any image
		both(same, "--filter", "reference=*/*/*", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
	}
	for _, name := range []string{"other", "other:old", "o*", "nothing"} {
		both(same, "--format", "{{.Repository}}:{{.Tag}}", name)
	}
	both(same, "-f", "reference=other", "-f", "reference=newest", "-q")
	if list := d.ok("images"); strings.Contains(list, "<none>") {
		d.t.Errorf("untagged images without --all:\n%s", list)
	}
	for _, args := range [][]string{{"-n", "2"}, {"-f", "dangling=x"}, {"-f", "until=x"}, {"-f", "reference=["}, {"-f", "x=y"}} {
		d.fails(2, nil, append([]string{"images"}, args...)...)
	}
}

func (d *likeDocker) volumes() {
	compare := func(convert func(string) string, args ...string) {
		d.t.Helper()
		d.equal(convert, append([]string{"volume", "ls"}, args...), append([]string{"volumes"}, args...))
	}
	compare(withoutEngine)
	for _, format := range []string{
		"{{.Name}}", "{{.Driver}} {{.Scope}}", "{{.Mountpoint}}", "{{.Labels}}", `{{.Name}} {{.Label "tier"}}`, "{{.Links}} {{.Size}}",
		"table {{.Name}}\t{{.Labels}}", `table {{.Driver}}\t{{.Name}}`, "{{json .Labels}}", "{{upper .Name}}", "{{truncate .Name 4}}", "raw",
	} {
		compare(same, "--format", format)
	}
	compare(fields("Name", "Driver", "Scope", "Mountpoint", "Labels", "Links", "Size"), "--format", "{{json .}}")
	compare(same, "-q")
	for _, filter := range []string{
		"dangling=true", "dangling=false", "dangling=1", "driver=local", "driver=x", "label=tier", "label=tier=db", "label=x", "name=vol", "name=^vol9$", "name=x",
	} {
		compare(same, "--filter", filter, "-q")
	}
	for _, args := range [][]string{{"-n", "2"}, {"-f", "dangling=x"}, {"-f", "x=y"}} {
		d.fails(2, nil, append([]string{"volumes"}, args...)...)
	}
}
