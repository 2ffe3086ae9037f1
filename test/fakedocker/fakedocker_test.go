// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// patience is how long a test waits for what happens at once.
const patience = 10 * time.Second

func newTestClient(tb testing.TB, s *Server) *client.Client {
	tb.Helper()
	c, err := client.New(client.WithHost(s.Endpoint()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// must fails the test where a call fails that must not.
func must[T any](tb testing.TB) func(result T, err error) T {
	tb.Helper()
	return func(result T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return result
	}
}

func wantError(t *testing.T, err error, is func(error) bool, text string) {
	t.Helper()
	if err == nil || !is(err) || !strings.Contains(err.Error(), text) {
		t.Errorf("got the error %v, want one with %q", err, text)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// stream is an open event stream.
type stream struct {
	t *testing.T
	client.EventsResult
}

// listen opens a stream, and returns when it misses nothing any more.
func listen(t *testing.T, s *Server, options client.EventsListOptions) stream {
	t.Helper()
	before := s.Streams()
	result := newTestClient(t, s).Events(t.Context(), options)
	eventually(t, "the stream is open", func() bool { return s.Streams() > before })
	return stream{t, result}
}

func (s stream) next() events.Message {
	s.t.Helper()
	select {
	case m := <-s.Messages:
		return m
	case err := <-s.Err:
		s.t.Fatalf("the event stream ended: %v", err)
	case <-time.After(patience):
		s.t.Fatal("no event came")
	}
	return events.Message{}
}

// text writes an event with the attributes that tell something.
func text(m events.Message) string {
	line := string(m.Type) + " " + string(m.Action)
	for _, key := range []string{"signal", "exitCode", "oldName", "destination"} {
		if value := m.Actor.Attributes[key]; value != "" {
			line += " " + key + "=" + value
		}
	}
	return line
}

func (s stream) expect(lines ...string) {
	s.t.Helper()
	for _, want := range lines {
		if got := text(s.next()); got != want {
			s.t.Fatalf("got the event %q, want %q", got, want)
		}
	}
}

// fail returns the error that the stream ends with.
func (s stream) fail() error {
	s.t.Helper()
	for {
		select {
		case <-s.Messages:
		case err := <-s.Err:
			return err
		case <-time.After(patience):
			s.t.Fatal("the event stream stays open")
		}
	}
}

func TestContainerLife(t *testing.T) {
	s := Run(t, Config{ID: "engine-1"})
	s.AddImage("library/app:1")
	c, ctx := newTestClient(t, s), t.Context()
	watched := listen(t, s, client.EventsListOptions{})

	created := must[client.ContainerCreateResult](t)(c.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: "first",
		Config: &container.Config{
			Image: "app:1", Labels: map[string]string{"key": "value"}, Cmd: []string{"sh", "-c", "exit 3"},
			ExposedPorts: network.PortSet{network.MustParsePort("90/udp"): {}},
		},
		HostConfig: &container.HostConfig{
			Binds: []string{"data:/data:ro"},
			PortBindings: network.PortMap{network.MustParsePort("80/tcp"): {
				{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "8080"},
			}},
		},
	}))
	id := created.ID
	watched.expect("volume create")
	first := watched.next()
	if text(first) != "container create" || first.Actor.ID != id || first.Actor.Attributes["name"] != "first" ||
		first.Actor.Attributes["image"] != "app:1" || first.Actor.Attributes["key"] != "value" {
		t.Errorf("wrong first event %+v", first)
	}

	act := func(err error, lines ...string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		watched.expect(lines...)
	}
	connect := []string{"network connect", "volume mount destination=/data", "container start"}
	end := []string{"network disconnect", "volume unmount"}
	_, err := c.ContainerStart(ctx, "first", client.ContainerStartOptions{})
	act(err, connect...)
	if _, err = c.ContainerStart(ctx, "first", client.ContainerStartOptions{}); err != nil {
		t.Errorf("a second start: %v", err) // 304
	}
	checkRunning(t, c, id)
	_, err = c.ContainerPause(ctx, id[:12], client.ContainerPauseOptions{})
	act(err, "container pause")
	_, err = c.ContainerStop(ctx, id, client.ContainerStopOptions{})
	act(err, slices.Concat([]string{"container kill signal=15", "container unpause", "container die exitCode=143"}, end, []string{"container stop"})...)
	_, err = c.ContainerRestart(ctx, id, client.ContainerRestartOptions{})
	act(err, append(slices.Clone(connect), "container restart")...)
	zero := 0
	_, err = c.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &zero})
	act(err, slices.Concat([]string{"container kill signal=15", "container kill signal=9", "container die exitCode=137"}, end, []string{"container stop"})...)
	_, err = c.ContainerRename(ctx, id, client.ContainerRenameOptions{NewName: "second"})
	act(err, "container rename oldName=/first")
	_, err = c.ContainerInspect(ctx, "first", client.ContainerInspectOptions{})
	wantError(t, err, cerrdefs.IsNotFound, "No such container: first")
	_, err = c.ContainerUpdate(ctx, "second", client.ContainerUpdateOptions{RestartPolicy: &container.RestartPolicy{Name: "always"}})
	act(err, "container update")
	_, err = c.ContainerStart(ctx, "second", client.ContainerStartOptions{})
	act(err, connect...)
	_, err = c.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "USR1"})
	act(err, "container kill signal=10")
	if err := s.SetHealth(id, container.Healthy); err != nil {
		t.Error(err)
	}
	watched.expect("container health_status: healthy")
	act(s.Exit(id, 1), slices.Concat([]string{"container die exitCode=1"}, end, connect)...)
	_, err = c.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
	act(err, slices.Concat([]string{"container kill signal=9", "container die exitCode=137"}, end, []string{"container destroy"})...)
	if got := s.EventCount("container die"); got != 4 {
		t.Errorf("%d containers died, want 4", got)
	}
	if got := (Counts{Images: 1, Volumes: 1}); s.Counts() != got {
		t.Errorf("wrong counts %+v", s.Counts())
	}
}

func checkRunning(t *testing.T, c *client.Client, id string) {
	t.Helper()
	inspected := must[client.ContainerInspectResult](t)(c.ContainerInspect(t.Context(), id[:10], client.ContainerInspectOptions{})).Container
	if inspected.ID != id || inspected.Name != "/first" || !inspected.State.Running || inspected.Path != "sh" ||
		!slices.Equal(inspected.Args, []string{"-c", "exit 3"}) || inspected.Config.Labels["key"] != "value" {
		t.Errorf("wrong container %+v", inspected)
	}
	ports := inspected.NetworkSettings.Ports
	if b := ports[network.MustParsePort("80/tcp")]; len(b) != 1 || b[0].HostPort != "8080" || b[0].HostIP.String() != "127.0.0.1" {
		t.Errorf("wrong ports %+v", ports)
	}
	if b, ok := ports[network.MustParsePort("90/udp")]; !ok || b != nil {
		t.Errorf("the exposed port is missing in %+v", ports)
	}
	listed := must[client.ContainerListResult](t)(c.ContainerList(t.Context(), client.ContainerListOptions{})).Items
	if len(listed) != 1 || listed[0].ID != id || listed[0].Image != "app:1" || listed[0].ImageID != inspected.Image ||
		listed[0].Command != "sh -c 'exit 3'" || listed[0].Status != "Up Less than a second" && listed[0].Status != "Up 1 second" ||
		len(listed[0].Ports) != 2 || len(listed[0].Mounts) != 1 || listed[0].Mounts[0].RW ||
		listed[0].NetworkSettings.Networks["bridge"].IPAddress != inspected.NetworkSettings.Networks["bridge"].IPAddress {
		t.Errorf("wrong list %+v", listed)
	}
}

func TestWait(t *testing.T) {
	s := Run(t, Config{})
	id := s.AddContainers(1, ContainerOptions{Running: true})[0]
	c := newTestClient(t, s)
	wait := func(condition container.WaitCondition) client.ContainerWaitResult {
		return c.ContainerWait(t.Context(), id, client.ContainerWaitOptions{Condition: condition})
	}
	expect := func(result client.ContainerWaitResult) {
		t.Helper()
		select {
		case response := <-result.Result:
			if response.StatusCode != 7 {
				t.Errorf("got the exit code %d, want 7", response.StatusCode)
			}
		case err := <-result.Error:
			t.Error(err)
		case <-time.After(patience):
			t.Error("waits for ever")
		}
	}
	next, gone := wait(container.WaitConditionNextExit), wait(container.WaitConditionRemoved)
	if err := s.Exit(id, 7); err != nil {
		t.Fatal(err)
	}
	expect(next)
	expect(wait(container.WaitConditionNotRunning))
	must[client.ContainerRemoveResult](t)(c.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{}))
	expect(gone)
}

func TestContainerRefusals(t *testing.T) {
	s := Run(t, Config{})
	s.AddImage("app")
	ids := s.AddContainers(2, ContainerOptions{Image: "app", Running: true, NamePrefix: "x"})
	s.AddContainers(1, ContainerOptions{Image: "app", NamePrefix: "x"})
	c, ctx := newTestClient(t, s), t.Context()
	must[client.ContainerPauseResult](t)(c.ContainerPause(ctx, "x2", client.ContainerPauseOptions{}))

	_, err := c.ContainerInspect(ctx, "nothing", client.ContainerInspectOptions{})
	wantError(t, err, cerrdefs.IsNotFound, "No such container: nothing")
	_, err = c.ContainerKill(ctx, "nothing", client.ContainerKillOptions{})
	wantError(t, err, cerrdefs.IsNotFound, "Cannot kill container: nothing: No such container: nothing")
	_, err = c.ContainerRemove(ctx, "x1", client.ContainerRemoveOptions{})
	wantError(t, err, cerrdefs.IsConflict, "You cannot remove a running container "+ids[0])
	_, err = c.ContainerRemove(ctx, "x2", client.ContainerRemoveOptions{})
	wantError(t, err, cerrdefs.IsConflict, "You cannot remove a paused container "+ids[1])
	_, err = c.ContainerPause(ctx, "x2", client.ContainerPauseOptions{})
	wantError(t, err, cerrdefs.IsConflict, "Container "+ids[1]+" is already paused")
	_, err = c.ContainerPause(ctx, "x3", client.ContainerPauseOptions{})
	wantError(t, err, cerrdefs.IsConflict, "is not running")
	_, err = c.ContainerUnpause(ctx, "x1", client.ContainerUnpauseOptions{})
	wantError(t, err, cerrdefs.IsInternal, "Container "+ids[0]+" is not paused")
	_, err = c.ContainerStart(ctx, "x2", client.ContainerStartOptions{})
	wantError(t, err, cerrdefs.IsConflict, "cannot start a paused container, try unpause instead")
	_, err = c.ContainerKill(ctx, "x3", client.ContainerKillOptions{})
	wantError(t, err, cerrdefs.IsConflict, "is not running")
	_, err = c.ContainerKill(ctx, "x1", client.ContainerKillOptions{Signal: "NONE"})
	wantError(t, err, cerrdefs.IsInvalidArgument, "Invalid signal: NONE")
	_, err = c.ContainerRename(ctx, "x1", client.ContainerRenameOptions{NewName: "x2"})
	wantError(t, err, cerrdefs.IsConflict, `The container name "/x2" is already in use by container "`+ids[1])
	_, err = c.ContainerUpdate(ctx, "x1", client.ContainerUpdateOptions{RestartPolicy: &container.RestartPolicy{Name: "perhaps"}})
	wantError(t, err, cerrdefs.IsInvalidArgument, "invalid restart policy 'perhaps'")
	_, err = c.ContainerCreate(ctx, client.ContainerCreateOptions{Name: "x1", Image: "app"})
	wantError(t, err, cerrdefs.IsConflict, `Conflict. The container name "/x1" is already in use`)
	_, err = c.ContainerCreate(ctx, client.ContainerCreateOptions{Image: "other"})
	wantError(t, err, cerrdefs.IsNotFound, "No such image: other:latest")
	_, err = c.ContainerCreate(ctx, client.ContainerCreateOptions{Name: "ü", Image: "app"})
	wantError(t, err, cerrdefs.IsInvalidArgument, "Invalid container name (ü)")
	_, err = c.NetworkPrune(ctx, client.NetworkPruneOptions{})
	wantError(t, err, cerrdefs.IsNotFound, "page not found")
}

func TestImages(t *testing.T) {
	s := Run(t, Config{})
	id := s.AddImage("registry.test:5000/some/app:1", "app")
	c, ctx := newTestClient(t, s), t.Context()
	watched := listen(t, s, client.EventsListOptions{Filters: make(client.Filters).Add("type", "image")})
	for _, name := range []string{"registry.test:5000/some/app:1", "app", "app:latest", "docker.io/library/app", id, id[7:], id[7:19], id[:19]} {
		if i := must[client.ImageInspectResult](t)(c.ImageInspect(ctx, name)); i.ID != id {
			t.Errorf("%s is the image %s, want %s", name, i.ID, id)
		}
	}
	remove := func(name string, force bool) error {
		_, err := c.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: force, PruneChildren: true})
		return err
	}
	_, err := c.ImageInspect(ctx, "no/such:1")
	wantError(t, err, cerrdefs.IsNotFound, "No such image: no/such:1")
	must[client.ImageTagResult](t)(c.ImageTag(ctx, client.ImageTagOptions{Source: "app", Target: "a/b/c:2"}))
	m := watched.next()
	if text(m) != "image tag" || m.Actor.ID != id || m.Actor.Attributes["name"] != "a/b/c:2" {
		t.Errorf("wrong event %+v", m)
	}
	wantError(t, remove(id, false), cerrdefs.IsConflict, "conflict: unable to delete "+id[7:19]+" (must be forced) - image is referenced in multiple repositories")
	filtered := client.ImageListOptions{Filters: make(client.Filters).Add("reference", "a/b/c")}
	if list := must[client.ImageListResult](t)(c.ImageList(ctx, filtered)).Items; len(list) != 1 || !slices.Equal(list[0].RepoTags, []string{"a/b/c:2"}) {
		t.Errorf("the filter leaves %+v", list)
	}
	for _, name := range []string{"a/b/c:2", "registry.test:5000/some/app:1"} {
		if err := remove(name, false); err != nil {
			t.Error(err)
		}
		watched.expect("image untag")
	}

	ids := s.AddContainers(1, ContainerOptions{Image: "app", Running: true})
	wantError(t, remove("app", false), cerrdefs.IsConflict,
		`conflict: unable to remove repository reference "app" (must force) - container `+ids[0][:12]+" is using its referenced image "+id[7:19])
	wantError(t, remove(id, true), cerrdefs.IsConflict, "(cannot be forced) - image is being used by running container "+ids[0][:12])
	if err := remove("app", true); err != nil {
		t.Error(err)
	}
	watched.expect("image untag")
	images := must[client.ImageListResult](t)(c.ImageList(ctx, client.ImageListOptions{})).Items
	if len(images) != 1 || images[0].ID != id || !slices.Equal(images[0].RepoTags, []string{"<none>:<none>"}) {
		t.Errorf("wrong images %+v", images)
	}
	if listed := must[client.ContainerListResult](t)(c.ContainerList(ctx, client.ContainerListOptions{})).Items; listed[0].Image != id {
		t.Errorf("the container's image is %s, want %s", listed[0].Image, id)
	}
	must[client.ContainerRemoveResult](t)(c.ContainerRemove(ctx, ids[0], client.ContainerRemoveOptions{Force: true}))
	if err := remove(id, false); err != nil {
		t.Error(err)
	}
	watched.expect("image delete")
	if s.Counts() != (Counts{}) {
		t.Errorf("something is left: %+v", s.Counts())
	}
}

func TestPull(t *testing.T) {
	s := Run(t, Config{})
	c, ctx := newTestClient(t, s), t.Context()
	watched := listen(t, s, client.EventsListOptions{})
	pull := func() error {
		response, err := c.ImagePull(ctx, "busybox", client.ImagePullOptions{})
		if err != nil {
			return err
		}
		return response.Wait(ctx)
	}
	s.FailPull(1)
	if err := pull(); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("got the error %v", err)
	}
	for range 2 {
		if err := pull(); err != nil {
			t.Fatal(err)
		}
		if m := watched.next(); text(m) != "image pull" || m.Actor.ID != "busybox:latest" || m.Actor.Attributes["name"] != "busybox" {
			t.Errorf("wrong event %+v", m)
		}
	}
	i := must[client.ImageInspectResult](t)(c.ImageInspect(ctx, "busybox"))
	if !slices.Equal(i.RepoTags, []string{"busybox:latest"}) || len(i.RepoDigests) != 1 {
		t.Errorf("wrong image %+v", i)
	}
	moved := s.AddImage("busybox")
	watched.expect("image tag", "image import")
	if i := must[client.ImageInspectResult](t)(c.ImageInspect(ctx, "busybox")); i.ID != moved {
		t.Errorf("busybox is %s, want %s", i.ID, moved)
	}
	removed := must[client.ImageRemoveResult](t)(c.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{}))
	if len(removed.Items) != 2 || removed.Items[0].Untagged != i.RepoDigests[0] || removed.Items[1].Deleted != i.ID {
		t.Errorf("wrong records %+v", removed.Items)
	}
}

func TestVolumes(t *testing.T) {
	s := Run(t, Config{})
	c, ctx := newTestClient(t, s), t.Context()
	watched := listen(t, s, client.EventsListOptions{Filters: make(client.Filters).Add("type", "volume")})
	v := must[client.VolumeCreateResult](t)(c.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "My_Vol", Labels: map[string]string{"a": "b"}})).Volume
	if v.Name != "My_Vol" || v.Driver != "local" || v.Scope != "local" || v.Mountpoint == "" || v.CreatedAt == "" || v.Labels["a"] != "b" {
		t.Errorf("wrong volume %+v", v)
	}
	watched.expect("volume create")
	ids := s.AddContainers(1, ContainerOptions{Volume: "My_Vol"})
	_, err := c.VolumeRemove(ctx, "My_Vol", client.VolumeRemoveOptions{})
	wantError(t, err, cerrdefs.IsConflict, "remove My_Vol: volume is in use - ["+ids[0]+"]")
	_, err = c.VolumeInspect(ctx, "none", client.VolumeInspectOptions{})
	wantError(t, err, cerrdefs.IsNotFound, "get none: no such volume")
	_, err = c.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "a b"})
	wantError(t, err, cerrdefs.IsInvalidArgument, "includes invalid characters for a local volume name")
	must[client.ContainerRemoveResult](t)(c.ContainerRemove(ctx, ids[0], client.ContainerRemoveOptions{RemoveVolumes: true}))

	created := must[client.ContainerCreateResult](t)(c.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{Image: defaultImage, Volumes: map[string]struct{}{"/anonymous": {}}},
	}))
	watched.expect("volume create")
	must[client.ContainerRemoveResult](t)(c.ContainerRemove(ctx, created.ID, client.ContainerRemoveOptions{RemoveVolumes: true}))
	watched.expect("volume destroy")
	must[client.VolumeRemoveResult](t)(c.VolumeRemove(ctx, "My_Vol", client.VolumeRemoveOptions{}))
	watched.expect("volume destroy")
	if list := must[client.VolumeListResult](t)(c.VolumeList(ctx, client.VolumeListOptions{})); len(list.Items) != 0 {
		t.Errorf("volumes are left: %+v", list.Items)
	}
}

// fakeClock goes on by a second each time it is looked at.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func TestReplay(t *testing.T) {
	start := time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC)
	clock := &fakeClock{now: start}
	s := Run(t, Config{Clock: clock.Now})
	for n := range replayed + 10 {
		s.AddVolume(fmt.Sprintf("v%03d", n))
	}
	since := func(at time.Time) string { return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()) }
	all := listen(t, s, client.EventsListOptions{Since: since(start)})
	if first := all.next(); first.Actor.ID != "v010" {
		t.Errorf("the first remembered is %s, want v010", first.Actor.ID)
	}
	var last events.Message
	for range replayed - 1 {
		last = all.next()
	}
	if last.Actor.ID != "v265" {
		t.Errorf("the last remembered is %s, want v265", last.Actor.ID)
	}
	s.AddImage("after")
	all.expect("image tag", "image import")

	at := time.Unix(0, last.TimeNano)
	replay := listen(t, s, client.EventsListOptions{Since: since(at), Filters: make(client.Filters).Add("event", "create", "import")})
	replay.expect("volume create", "image import")

	past := stream{t, newTestClient(t, s).Events(t.Context(), client.EventsListOptions{Since: since(at), Until: since(at.Add(time.Nanosecond))})}
	past.expect("volume create")
	if err := past.fail(); err == nil || err.Error() != "EOF" {
		t.Errorf("a stream of the past ends with %v, want EOF", err)
	}
	info := must[client.SystemInfoResult](t)(newTestClient(t, s).Info(t.Context(), client.InfoOptions{})).Info
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil || now.Before(at) || now.After(clock.Now()) {
		t.Errorf("the engine's time is %s (%v)", info.SystemTime, err)
	}
}

func TestFaults(t *testing.T) {
	s := Run(t, Config{ID: "one"})
	ids := s.AddContainers(3, ContainerOptions{Running: true, Ports: 1})
	c, ctx := newTestClient(t, s), t.Context()
	list := func() error {
		_, err := c.ContainerList(ctx, client.ContainerListOptions{All: true})
		return err
	}
	inspect := func(ctx context.Context, id string) error {
		_, err := c.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		return err
	}

	s.FailList(Containers, 1)
	wantError(t, list(), cerrdefs.IsInternal, "is set to fail")
	s.TruncateList(Containers, 1)
	if err := list(); err == nil {
		t.Error("half a list is no error")
	}
	if err := list(); err != nil {
		t.Error(err)
	}
	s.FailInspect(ids[1], 1)
	wantError(t, inspect(ctx, ids[1][:12]), cerrdefs.IsInternal, "is set to fail")
	s.FailRoute("GET /containers/{id}/json", 503, -1)
	wantError(t, inspect(ctx, ids[0]), cerrdefs.IsUnavailable, "is set to fail")
	s.FailRoute("GET /containers/{id}/json", 0, 0)
	if err := errors.Join(inspect(ctx, ids[0]), inspect(ctx, ids[1])); err != nil {
		t.Error(err)
	}
	if got := s.Requests()["GET /containers/{id}/json"]; got != 4 {
		t.Errorf("%d inspects are counted, want 4", got)
	}

	s.SetID("another")
	if info := must[client.SystemInfoResult](t)(c.Info(ctx, client.InfoOptions{})).Info; info.ID != "another" || info.ContainersRunning != 3 {
		t.Errorf("wrong info %+v", info)
	}

	s.HangRequests(true)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := inspect(short, ids[0]); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging request ends with %v", err)
	}
	hanging := make(chan error, 1)
	go func() { hanging <- inspect(ctx, ids[0]) }()
	s.HangRequests(false)
	if err := <-hanging; err != nil {
		t.Error(err)
	}
	s.SetLatency(10 * time.Millisecond)
	began := time.Now()
	if err := inspect(ctx, ids[0]); err != nil || time.Since(began) < 10*time.Millisecond {
		t.Errorf("took %s: %v", time.Since(began), err)
	}
	s.SetLatency(0)

	if !s.MalformContainer(ids[2]) || s.MalformContainer("none") {
		t.Error("the wrong container is malformed")
	}
	if err := list(); err == nil {
		t.Error("a malformed container can be listed")
	}
	if err := inspect(ctx, ids[2]); err == nil {
		t.Error("a malformed container can be inspected")
	}
}

func TestEventFaults(t *testing.T) {
	s := Run(t, Config{})
	since := fmt.Sprint(time.Now().Unix() - 1)
	watched := listen(t, s, client.EventsListOptions{})
	s.DropEvents(true)
	s.AddVolume("lost")
	s.DropEvents(false)
	s.AddVolume("seen")
	if m := watched.next(); m.Actor.ID != "seen" {
		t.Errorf("got an event of %s", m.Actor.ID)
	}
	if s.EventCount("volume create") != 2 {
		t.Error("the lost event did not happen")
	}
	s.CutEvents()
	if err := watched.fail(); err == nil || err.Error() == "EOF" {
		t.Errorf("a cut stream ends with %v", err)
	}
	again := listen(t, s, client.EventsListOptions{Since: since})
	if m := again.next(); m.Actor.ID != "seen" {
		t.Errorf("the replay has an event of %s", m.Actor.ID)
	}
}

func TestRestart(t *testing.T) {
	s := Run(t, Config{})
	ids := s.AddContainers(1, ContainerOptions{Running: true})
	c := newTestClient(t, s)
	watched := listen(t, s, client.EventsListOptions{})
	s.HangRequests(true)
	hanging := make(chan error, 1)
	go func() {
		_, err := newTestClient(t, s).Ping(t.Context(), client.PingOptions{})
		hanging <- err
	}()
	eventually(t, "the request hangs", func() bool { return s.Requests()["HEAD /_ping"] > 1 })
	s.Stop()
	if err := <-hanging; err == nil {
		t.Error("a request survives the engine")
	}
	if err := watched.fail(); err == nil || err.Error() == "EOF" {
		t.Errorf("the stream ends with %v", err)
	}
	s.HangRequests(false)
	if _, err := c.ContainerInspect(t.Context(), ids[0], client.ContainerInspectOptions{}); !client.IsErrConnectionFailed(err) {
		t.Errorf("a stopped engine answers: %v", err)
	}
	for range 2 {
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		inspected := must[client.ContainerInspectResult](t)(c.ContainerInspect(t.Context(), ids[0], client.ContainerInspectOptions{}))
		if !inspected.Container.State.Running {
			t.Error("the container doesn't run any more")
		}
	}
	again := listen(t, s, client.EventsListOptions{Since: "1"})
	s.AddVolume("first")
	again.expect("volume create")
}

func TestMany(t *testing.T) {
	const many = 2000
	s := Run(t, Config{})
	watched := listen(t, s, client.EventsListOptions{Filters: make(client.Filters).Add("event", "start", "destroy")})
	ids := s.AddContainers(many, ContainerOptions{Running: true, Ports: 2, Labels: map[string]string{"a": "b"}})
	for _, id := range ids {
		if m := watched.next(); m.Actor.ID != id {
			t.Fatalf("an event of %s, want %s", m.Actor.ID, id)
		}
	}
	if got := s.Counts(); got.Containers != many || got.Running != many {
		t.Errorf("wrong counts %+v", got)
	}
	c, ctx := newTestClient(t, s), t.Context()
	listed := must[client.ContainerListResult](t)(c.ContainerList(ctx, client.ContainerListOptions{})).Items
	names, addresses := map[string]bool{}, map[netip.Addr]bool{}
	for _, item := range listed {
		names[item.Names[0]] = true
		addresses[item.NetworkSettings.Networks["bridge"].IPAddress] = true
	}
	if len(names) != many || len(addresses) != many || listed[0].ID != ids[many-1] {
		t.Errorf("%d names and %d addresses of %d", len(names), len(addresses), many)
	}
	var workers sync.WaitGroup
	for n := range 4 {
		workers.Go(func() {
			for _, id := range ids[n*many/4 : n*many/4+100] {
				if _, err := c.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	for range 400 {
		watched.expect("container destroy")
	}
	s.AddContainers(400, ContainerOptions{Running: true})
	if got := s.Counts(); got.Running != many {
		t.Errorf("wrong counts %+v", got)
	}
	clear(addresses)
	for _, item := range must[client.ContainerListResult](t)(c.ContainerList(ctx, client.ContainerListOptions{})).Items {
		addresses[item.NetworkSettings.Networks["bridge"].IPAddress] = true
	}
	if len(addresses) != many {
		t.Errorf("%d containers have %d addresses", many, len(addresses))
	}
}

func TestStatusText(t *testing.T) {
	now := time.Now()
	for want, c := range map[string]ctr{
		"Created":                           {state: container.StateCreated},
		"Up 3 seconds":                      {state: container.StateRunning, startedAt: now.Add(-3 * time.Second)},
		"Up About a minute (healthy)":       {state: container.StateRunning, startedAt: now.Add(-time.Minute), health: container.Healthy},
		"Up 5 days (health: starting)":      {state: container.StateRunning, startedAt: now.Add(-125 * time.Hour), health: container.Starting},
		"Up 2 minutes (Paused)":             {state: container.StatePaused, startedAt: now.Add(-2 * time.Minute), health: container.Healthy},
		"Exited (137) 4 hours ago":          {state: container.StateExited, exitCode: 137, finishedAt: now.Add(-4 * time.Hour)},
		"Exited (0) Less than a second ago": {state: container.StateExited, finishedAt: now},
	} {
		if got := statusText(&c, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	s := New(Config{APIVersion: "1.52"})
	for path, want := range map[string]string{
		"/info": "/info", "/v1.24/info": "/info", "/v1.52/a/b": "/a/b", "/volumes": "/volumes", "/v1/info": "/v1/info",
		"/v1.53/info": "client version 1.53 is too new. Maximum supported API version is 1.52",
		"/v1.23/info": "client version 1.23 is too old. Minimum supported API version is 1.24, " +
			"please upgrade your client to a newer version",
	} {
		got, err := s.unversioned(path)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s becomes %q, want %q", path, got, want)
		}
	}
}

func TestPrefixIndex(t *testing.T) {
	x := prefixIndex{}
	for _, id := range []string{"aaaa1", "aaaa2", "aaab1", "b"} {
		x.add(id)
	}
	for prefix, want := range map[string]struct {
		id      string
		matches int
	}{
		"": {}, "a": {"", 2}, "aa": {"", 2}, "aaaa": {"", 2}, "aaab": {"aaab1", 1}, "b": {"b", 1}, "bb": {}, "c": {}, "aaaa22": {},
	} {
		if id, matches := x.find(prefix); id != want.id || matches != want.matches {
			t.Errorf("%q finds %q, %d", prefix, id, matches)
		}
	}
	x.remove("aaaa1")
	if id, _ := x.find("aaaa"); id != "aaaa2" {
		t.Errorf("after a removal aaaa finds %q", id)
	}
}

func benchmarkServer(b *testing.B, n int) (*Server, *client.Client, []string) {
	b.Helper()
	s := Run(b, Config{})
	return s, newTestClient(b, s), s.AddContainers(n, ContainerOptions{Running: true, Ports: 1})
}

func BenchmarkInspect(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _, ids := benchmarkServer(b, n)
			for b.Loop() {
				if _, err := s.details(ids[n/2][:12]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStartStop(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _, ids := benchmarkServer(b, n)
			for b.Loop() {
				if err := s.Exit(ids[n/2], 0); err != nil {
					b.Fatal(err)
				}
				s.mu.Lock()
				s.startLocked(s.ctrs.byID[ids[n/2]])
				s.mu.Unlock()
			}
		})
	}
}

func BenchmarkAddContainers10000(b *testing.B) {
	for b.Loop() {
		New(Config{}).AddContainers(10000, ContainerOptions{Running: true, Ports: 1})
	}
}

func BenchmarkList10000(b *testing.B) {
	_, c, _ := benchmarkServer(b, 10000)
	for b.Loop() {
		if _, err := c.ContainerList(b.Context(), client.ContainerListOptions{All: true}); err != nil {
			b.Fatal(err)
		}
	}
}
