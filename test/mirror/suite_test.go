// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// subject is an engine that the suite drives, and what it takes to drive it.
type subject struct {
	engineUnderTest
	hands hands
	// docker is nil where the engine has not Docker's API.
	docker     *client.Client
	engineType containersv1alpha1.EngineType
	// inEngine is the engine's namespace.
	inEngine string
	// reads is the function in which the goroutine of a log that is read is.
	reads string
}

// dockerSubject returns an engine with Docker's API.
func dockerSubject(engine engineUnderTest, docker *client.Client) subject {
	return subject{engine, dockerHands{docker}, docker, containersv1alpha1.EngineMoby, "moby", "moby.(*Engine).Logs.func1"}
}

// engineUnderTest is an engine that runs.
type engineUnderTest interface {
	Endpoint() string
	// Restart kills the engine and starts it again; between is called while it
	// is dead.
	Restart(between func())
	// AnotherImage returns a new image's ID.
	AnotherImage() string
}

// features says what an engine can do.
type features struct {
	ports  bool
	health bool
	// processes really run and end.
	processes bool
	// unreadInput of a process costs none of its output.
	unreadInput bool
	// update changes a container's restart policy.
	update bool
	// importEvents tell of an image that was imported. Without, it is mirrored
	// at the next comparison.
	importEvents bool
	// commitEvents tell of an image that a container was made to.
	commitEvents bool
	// platforms of an image are kept, and not only the engine's own.
	platforms bool
	// pullProgress is whether the progress is reported in bytes.
	pullProgress bool
	// pulls images for others.
	pulls bool
	// networks can be made, and containers be connected to them. networkEvents tell of
	// that: without, it is mirrored at the next comparison. networkPrune removes those
	// that no container uses.
	networks, networkEvents, networkPrune bool
	// defaultNetwork is the one that the engine made, and networkPredefined its words
	// when it refuses to remove it; networkInUse when one is in use.
	defaultNetwork, networkPredefined, networkInUse string
	// api is Docker's: it has volumes, published ports, other names for
	// containers and restart policies.
	api bool
}

// engineCase is an engine that the suite runs against.
type engineCase struct {
	name  string
	start func(*testing.T) subject
	has   features
}

// TestEngines runs the suite against every engine.
func TestEngines(t *testing.T) {
	t.Parallel()
	fake := engineCase{
		name: "Fake",
		start: func(t *testing.T) subject {
			engine, docker := newFake(t, fakedocker.Config{})
			return dockerSubject(engine, docker)
		},
		// It runs nothing, so that nothing listens, is checked or ends.
		has: features{api: true, update: true, importEvents: true,
			networks: true, networkEvents: true, defaultNetwork: "bridge", networkPredefined: "pre-defined", networkInUse: "active endpoints"},
	}
	for _, test := range append(realEngines(), fake) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // each is in directories of its own, and in namespaces where it has fixed places
			runSuite(t, test.start(t), test.has)
		})
	}
}

const busyboxImage = "busybox:latest"

// driver drives an engine with its hands and compares after each step.
type driver struct {
	*env
	engine subject
	has    features
}

func (d *driver) run(name string, config container.Config, host container.HostConfig) string {
	d.t.Helper()
	id := d.createContainer(name, config, host)
	d.must(d.hands.Start(d.t.Context(), id))
	d.equal("moby")
	return id
}

func (d *driver) createContainer(name string, config container.Config, host container.HostConfig) string {
	d.t.Helper()
	if config.Image == "" {
		config.Image = busyboxImage
	}
	if config.Cmd == nil {
		config.Cmd = []string{"sleep", "1000"}
	}
	id, err := d.hands.Create(d.t.Context(), name, config, host)
	d.must(err)
	d.equal("moby")
	return id
}

// step does one thing to the engine and waits until the mirrors have followed.
func (d *driver) step(do func(ctx context.Context) error) {
	d.t.Helper()
	d.must(do(d.t.Context()))
	d.equal("moby")
}

// runSuite drives everything that an engine does to containers, images and
// volumes, comparing all mirrors after each step.
func runSuite(t *testing.T, engine subject, has features) {
	t.Helper()
	e := newEnv(t, engine.docker, engine.Endpoint())
	e.hands, e.engineType, e.inEngine = engine.hands, engine.engineType, engine.inEngine
	e.connect("moby")
	for _, test := range []struct {
		name string
		skip bool
		run  func(*driver)
	}{
		{"Status", !has.api, suiteStatus},
		{"NotFound", false, suiteNotFound},
		{"Lifecycle", false, suiteLifecycle},
		{"Ports", !has.ports, suitePorts},
		{"Labels", false, suiteLabels},
		{"Health", !has.health, suiteHealth},
		{"ExitCodes", !has.processes, suiteExitCodes},
		{"Actions", false, suiteActions},
		{"Logs", !has.processes, suiteLogs},
		{"Exec", !has.processes, suiteExec},
		{"SlowReader", !has.processes, suiteSlowReader},
		{"StreamsWithoutEngine", false, suiteStreamsWithoutEngine},
		{"Pulls", !has.pulls, suitePulls},
		{"Digests", !has.pulls, suiteDigests},
		{"Pushes", !has.pulls || !has.api, suitePushes},
		{"Images", false, suiteImages},
		{"MovedTags", false, suiteMovedTags},
		{"Commits", !has.api || !has.processes || !has.commitEvents, suiteCommits},
		{"Platforms", !has.platforms, suitePlatforms},
		{"Volumes", !has.api, suiteVolumes},
		{"Networks", !has.networks, suiteNetworks},
		{"NetworkPrune", !has.networkPrune, suiteNetworkPrune},
		{"MirroredLabels", false, suiteMirroredLabels},
		{"Prunes", !has.api || !has.processes, suitePrunes},
		{"Deletions", false, suiteDeletions},
		{"Edits", false, suiteEdits},
		{"Apply", false, suiteApply},
		{"Comparisons", false, suiteComparisons},
		{"KilledInTheMiddle", false, suiteKilledInTheMiddle},
		{"EngineRestart", false, suiteEngineRestart},
		{"StopAndStart", false, suiteStopAndStart},
		{"ManagerRestart", false, suiteManagerRestart},
	} {
		if test.skip {
			t.Logf("%s: left out, as this engine has not what it takes", test.name)
			continue
		}
		passed := t.Run(test.name, func(t *testing.T) {
			inner := *e
			inner.t = t
			test.run(&driver{env: &inner, engine: engine, has: has})
		})
		if !passed {
			t.Fatalf("the suite ends here: %s may have left something behind", test.name)
		}
	}
}

func (d *driver) removeContainer(id string) {
	d.t.Helper()
	d.step(func(ctx context.Context) error { return d.hands.Remove(ctx, id) })
}

func suiteLifecycle(d *driver) {
	id := d.run("life", container.Config{}, container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 3}})
	seconds := 0
	policy := func(name container.RestartPolicyMode) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if !d.has.update {
				return nil
			}
			_, err := d.docker.ContainerUpdate(ctx, id, client.ContainerUpdateOptions{RestartPolicy: &container.RestartPolicy{Name: name}})
			return err
		}
	}
	ofDocker := func(step func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if !d.has.api {
				return nil
			}
			return step(ctx)
		}
	}
	steps := []func(ctx context.Context) error{
		func(ctx context.Context) error { return d.hands.Pause(ctx, id) },
		func(ctx context.Context) error { return d.hands.Unpause(ctx, id) },
		ofDocker(func(ctx context.Context) error {
			_, err := d.docker.ContainerRename(ctx, id, client.ContainerRenameOptions{NewName: "renamed"})
			return err
		}),
		ofDocker(func(ctx context.Context) error {
			_, err := d.docker.ContainerRestart(ctx, id, client.ContainerRestartOptions{Timeout: &seconds})
			return err
		}),
		policy("always"),
		ofDocker(func(ctx context.Context) error {
			_, err := d.docker.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &seconds})
			return err
		}),
		ofDocker(func(ctx context.Context) error { return d.hands.Start(ctx, id) }),
		policy("no"),
		func(ctx context.Context) error { return d.hands.Kill(ctx, id) },
		func(ctx context.Context) error { return d.hands.Start(ctx, id) },
	}
	for _, step := range steps {
		d.step(step)
	}
	d.removeContainer(id)
}

func suitePorts(d *driver) {
	web, dns := network.MustParsePort("80/tcp"), network.MustParsePort("53/udp")
	// Two addresses: the newest engine does not start what has the same twice.
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	id := d.run("ports", container.Config{ExposedPorts: network.PortSet{web: {}, dns: {}}}, container.HostConfig{
		PortBindings: network.PortMap{web: {{HostIP: two}, {HostIP: one}}},
	})
	d.step(func(ctx context.Context) error { return d.hands.Kill(ctx, id) })
	d.removeContainer(id)
}

func suiteLabels(d *driver) {
	id := d.createContainer("labels", container.Config{Labels: map[string]string{
		"com.docker.compose.project": "shop",
		"UPPER/case key":             "value with ünïcode ✓",
		"long":                       strings.Repeat("x", d.longLabel()),
		"empty":                      "",
	}}, container.HostConfig{})
	d.removeContainer(id)
}

// longLabel is how long a label's value may be. containerd takes 4096 bytes with
// its name.
func (d *driver) longLabel() int {
	if d.has.api {
		return 4096
	}
	return 4096 - len("long")
}

func suiteHealth(d *driver) {
	id := d.run("health", container.Config{Healthcheck: &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: 500e6}}, container.HostConfig{})
	d.eventually("the container is healthy", func() (bool, string) {
		side := d.mirrorSide("moby")["container "+id]
		return side["health"] == "healthy", side["health"]
	})
	d.equal("moby")
	d.removeContainer(id)
}

func suiteExitCodes(d *driver) {
	id := d.createContainer("fails", container.Config{Cmd: []string{"sh", "-c", "exit 42"}}, container.HostConfig{})
	d.must(d.hands.Start(d.t.Context(), id))
	d.eventually("the container has exited with 42", func() (bool, string) {
		side := d.mirrorSide("moby")["container "+id]
		return side["status"] == "exited" && side["exitCode"] == "42", side["status"] + " " + side["exitCode"]
	})
	d.equal("moby")
	d.removeContainer(id)

	id = d.createContainer("cannot", container.Config{Cmd: []string{"/no/such/program"}}, container.HostConfig{})
	if err := d.hands.Start(d.t.Context(), id); err == nil {
		d.t.Error("a program that does not exist was started")
	}
	d.equal("moby")
	d.removeContainer(id)
}

func suiteImages(d *driver) {
	tag := func(source, target string) {
		d.t.Helper()
		d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, source, target) })
	}
	remove := func(reference string) {
		d.t.Helper()
		d.step(func(ctx context.Context) error { return d.hands.Untag(ctx, reference) })
	}
	tag(busyboxImage, "one:1")
	tag(busyboxImage, "registry.example.com:5000/some/where/two:v2")
	remove("one:1")
	other := d.engine.AnotherImage() // dangling
	d.importedEqual()
	tag(other, "one:1")
	tag(busyboxImage, "one:1") // takes the tag away from the other, which dangles again
	tag(other, "one:1")        // and back
	remove("one:1")            // the other is gone
	remove("registry.example.com:5000/some/where/two:v2")
}

// suiteMovedTags moves the tag of a container's image to another image, and takes
// it away.
func suiteMovedTags(d *driver) {
	const tag = "moved:1"
	d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, busyboxImage, tag) })
	id := d.createContainer("moved", container.Config{Image: tag}, container.HostConfig{})
	other := d.engine.AnotherImage()
	d.importedEqual()
	d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, other, tag) })
	d.step(func(ctx context.Context) error { return d.hands.Untag(ctx, tag) })
	d.removeContainer(id)
}

// importedEqual is equal after an import.
func (d *driver) importedEqual() {
	d.t.Helper()
	ce := d.getEngine("moby")
	if !d.has.importEvents {
		period := ce.Resync()
		d.setResync(ce, time.Second)
		defer d.setResync(ce, period)
	}
	d.equal("moby")
}

func suiteVolumes(d *driver) {
	names := []string{"plain", "My_Vol_Ume", "dots.and-dashes_1", "UPPER", strings.Repeat("v", 255)}
	for _, name := range names {
		d.step(func(ctx context.Context) error {
			_, err := d.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Labels: map[string]string{"k": name[:1]}})
			return err
		})
	}
	id := d.createContainer("mounts", container.Config{}, container.HostConfig{Binds: []string{"plain:/data:ro", "/tmp:/host"}})
	d.removeContainer(id)
	for _, name := range names {
		d.step(func(ctx context.Context) error {
			_, err := d.docker.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
			return err
		})
	}
}

// suiteEngineRestart kills the engine. The mirrors are kept during that, with
// their names and UIDs, and are equal afterwards.
func suiteEngineRestart(d *driver) {
	stays := d.createContainer("stays", container.Config{}, container.HostConfig{})
	now := 0 // the engine stops it when it starts again
	runs := d.run("runs", container.Config{StopTimeout: &now}, container.HostConfig{})
	before := d.versions()
	bridge := ""
	if d.has.networks {
		bridge = d.network(d.has.defaultNetwork).Name
	}
	ce := d.getEngine("moby")
	d.engine.Restart(func() {
		d.waitReason(ce, "Disconnected")
		for name := range before {
			if _, ok := d.versions()[name]; !ok {
				d.t.Errorf("mirror %s was removed while the engine was gone", name)
			}
		}
	})
	d.waitReason(ce, "Connected")
	d.equal("moby")
	after := d.versions()
	if d.has.networkEvents {
		delete(before, bridge) // Docker makes it anew when it starts, with another ID
	}
	for name, version := range before {
		uid, _, _ := strings.Cut(version, "@")
		if !strings.HasPrefix(after[name], uid+"@") {
			d.t.Errorf("mirror %s was replaced: %s, then %s", name, version, after[name])
		}
	}
	if before[stays] != after[stays] {
		d.t.Errorf("a container that did not change was written: %s, then %s", before[stays], after[stays])
	}
	d.removeContainer(stays)
	d.removeContainer(runs)
}

// suiteStopAndStart stops the mirroring: the mirrors go, and nothing happens to
// the engine.
func suiteStopAndStart(d *driver) {
	id := d.run("lives", container.Config{}, container.HostConfig{})
	ce := d.getEngine("moby")
	d.setRunning(ce, false)
	d.waitReason(ce, "Stopped")
	if left := d.versions(); len(left) != 0 {
		d.t.Errorf("mirrors are left after a stop: %v", left)
	}
	if running, err := d.hands.Running(d.t.Context(), id); err != nil || !running {
		d.t.Errorf("the container after a stop of the mirroring: it runs: %v, %v", running, err)
	}
	d.setRunning(ce, true)
	d.waitReason(ce, "Connected")
	d.equal("moby")
	d.removeContainer(id)
}

// suiteManagerRestart ends the controllers and starts them again: what happened
// during that is caught up with, and what did not change is not written.
func suiteManagerRestart(d *driver) {
	kept := d.createContainer("kept", container.Config{}, container.HostConfig{})
	gone := d.createContainer("gone", container.Config{}, container.HostConfig{})
	before := d.versions()
	d.stopManager()
	d.must(d.hands.Remove(d.t.Context(), gone))
	fresh, err := d.hands.Create(d.t.Context(), "new", container.Config{Image: busyboxImage, Cmd: []string{"true"}}, container.HostConfig{})
	d.must(err)
	if after := d.versions(); !maps.Equal(after, before) {
		d.t.Errorf("with no manager the mirrors have changed: %v, then %v", before, after)
	}
	d.startManager()
	d.equal("moby")
	if after := d.versions(); after[kept] != before[kept] {
		d.t.Errorf("a container that did not change was written: %s, then %s", before[kept], after[kept])
	}
	d.removeContainer(kept)
	d.removeContainer(fresh)
}
