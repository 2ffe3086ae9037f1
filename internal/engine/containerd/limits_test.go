// SPDX-License-Identifier: Apache-2.0

package containerd_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/containerd/api/events"
	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	contentapi "github.com/containerd/containerd/api/services/content/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	versionapi "github.com/containerd/containerd/api/services/version/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/containerd"
)

// peer is a containerd of which each answer can be anything.
type peer struct {
	containersapi.UnimplementedContainersServer
	contentapi.UnimplementedContentServer
	eventsapi.UnimplementedEventsServer
	imagesapi.UnimplementedImagesServer
	introspectionapi.UnimplementedIntrospectionServer
	namespacesapi.UnimplementedNamespacesServer
	tasksapi.UnimplementedTasksServer
	versionapi.UnimplementedVersionServer

	sent       atomic.Int64 // bytes
	container  func(n int) *containersapi.Container
	images     []*imagesapi.Image
	namespaces []string
	events     []*types.Envelope
	blob       func(n int) []byte
}

func (p *peer) Version(context.Context, *emptypb.Empty) (*versionapi.VersionResponse, error) {
	return &versionapi.VersionResponse{Version: "v1"}, nil
}

func (p *peer) Server(context.Context, *emptypb.Empty) (*introspectionapi.ServerResponse, error) {
	return &introspectionapi.ServerResponse{UUID: "peer"}, nil
}

func (p *peer) Plugins(context.Context, *introspectionapi.PluginsRequest) (*introspectionapi.PluginsResponse, error) {
	return &introspectionapi.PluginsResponse{}, nil
}

func (p *peer) namespaceList() []*namespacesapi.Namespace {
	var list []*namespacesapi.Namespace
	for _, name := range p.namespaces {
		list = append(list, &namespacesapi.Namespace{Name: name})
	}
	return list
}

// lists are two services whose methods have one name.
type namespaceLists struct {
	namespacesapi.UnimplementedNamespacesServer
	*peer
}

func (l namespaceLists) List(context.Context, *namespacesapi.ListNamespacesRequest) (*namespacesapi.ListNamespacesResponse, error) {
	return &namespacesapi.ListNamespacesResponse{Namespaces: l.namespaceList()}, nil
}

type containerLists struct {
	containersapi.UnimplementedContainersServer
	*peer
}

func (l containerLists) ListStream(_ *containersapi.ListContainersRequest, stream containersapi.Containers_ListStreamServer) error {
	for n := 0; ; n++ {
		c := l.container(n)
		if c == nil {
			return nil
		}
		if err := stream.Send(&containersapi.ListContainerMessage{Container: c}); err != nil {
			return err
		}
		size := int64(64 + len(c.GetSpec().GetValue()))
		for _, value := range c.GetLabels() {
			size += int64(len(value))
		}
		l.sent.Add(size)
	}
}

func (l containerLists) Get(context.Context, *containersapi.GetContainerRequest) (*containersapi.GetContainerResponse, error) {
	return &containersapi.GetContainerResponse{Container: l.container(0)}, nil
}

type imageLists struct {
	imagesapi.UnimplementedImagesServer
	*peer
}

func (l imageLists) List(context.Context, *imagesapi.ListImagesRequest) (*imagesapi.ListImagesResponse, error) {
	return &imagesapi.ListImagesResponse{Images: l.images}, nil
}

type taskLists struct {
	tasksapi.UnimplementedTasksServer
}

func (taskLists) List(context.Context, *tasksapi.ListTasksRequest) (*tasksapi.ListTasksResponse, error) {
	return &tasksapi.ListTasksResponse{}, nil
}

type eventStreams struct {
	eventsapi.UnimplementedEventsServer
	*peer
}

func (s eventStreams) Subscribe(_ *eventsapi.SubscribeRequest, stream eventsapi.Events_SubscribeServer) error {
	for _, envelope := range s.events {
		if err := stream.Send(envelope); err != nil {
			return err
		}
	}
	return nil
}

func (s eventStreams) Publish(context.Context, *eventsapi.PublishRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

type contents struct {
	contentapi.UnimplementedContentServer
	*peer
}

func (c contents) Read(_ *contentapi.ReadContentRequest, stream contentapi.Content_ReadServer) error {
	for n := 0; ; n++ {
		data := c.blob(n)
		if data == nil {
			return nil
		}
		if err := stream.Send(&contentapi.ReadContentResponse{Data: data}); err != nil {
			return err
		}
		c.sent.Add(int64(len(data)))
	}
}

// connect has the peer served, and returns an engine that is connected to it.
func (p *peer) connect(t *testing.T) *containerd.Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "pe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxSendMsgSize(1 << 30))
	versionapi.RegisterVersionServer(server, p)
	introspectionapi.RegisterIntrospectionServer(server, p)
	namespacesapi.RegisterNamespacesServer(server, namespaceLists{peer: p})
	containersapi.RegisterContainersServer(server, containerLists{peer: p})
	imagesapi.RegisterImagesServer(server, imageLists{peer: p})
	tasksapi.RegisterTasksServer(server, taskLists{})
	eventsapi.RegisterEventsServer(server, eventStreams{peer: p})
	contentapi.RegisterContentServer(server, contents{peer: p})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	e, err := containerd.New(containerd.Config{Endpoint: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	if p.namespaces == nil {
		p.namespaces = []string{"default"}
	}
	return e
}

const far = 100_000 // messages of an endless stream, which no client should read

// TestEndlessLists: what has no end is given up at a limit, with an error that says
// so, and the rest of it is not read.
func TestEndlessLists(t *testing.T) {
	t.Parallel()
	label := map[string]string{"a": strings.Repeat("x", 4000)}
	spec := &anypb.Any{Value: []byte(`{"process":{"args":["` + strings.Repeat("x", 4000) + `"]}}`)}
	large := map[string]string{"a": strings.Repeat("x", 20<<20)}
	image := &imagesapi.Image{Name: strings.Repeat("x", 1000)}
	for name, test := range map[string]struct {
		peer  *peer
		kind  engine.Kind
		limit int64
		want  string
	}{
		"labels": {&peer{container: func(n int) *containersapi.Container {
			return upTo(n, &containersapi.Container{ID: fmt.Sprint(n), Labels: label})
		}}, engine.KindContainer, 110 << 20, "larger than 96 MiB"},
		"specifications": {&peer{container: func(n int) *containersapi.Container {
			return upTo(n, &containersapi.Container{ID: fmt.Sprint(n), Spec: spec})
		}}, engine.KindContainer, 110 << 20, "larger than 96 MiB"},
		"one container": {&peer{container: func(n int) *containersapi.Container {
			return upTo(far-1+n, &containersapi.Container{ID: fmt.Sprint(n), Labels: large})
		}}, engine.KindContainer, 0, "exceeds RDD's limit"},
		"empty containers": {&peer{container: func(n int) *containersapi.Container {
			return upTo(n/2, &containersapi.Container{})
		}}, engine.KindContainer, 0, "more than 100000 entries"},
		"images":     {&peer{images: repeat(image, 80_000)}, engine.KindImage, 0, "exceeds RDD's limit"},
		"many names": {&peer{images: repeat(&imagesapi.Image{}, 1_500_000)}, engine.KindImage, 0, "more than 1000000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := test.peer.connect(t).List(t.Context(), test.kind)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d items, error %.300v, want one with %q", len(items), err, test.want)
			}
			if sent := test.peer.sent.Load(); test.limit != 0 && sent > test.limit {
				t.Errorf("the engine could send %d bytes, want %d at the most", sent, test.limit)
			}
		})
	}
}

func upTo(n int, c *containersapi.Container) *containersapi.Container {
	if n >= far {
		return nil
	}
	return c
}

func repeat[T any](value T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = value
	}
	return list
}

// TestOddIDs: what has no usable ID is left out of a list, which says so, and an
// object must be the one that was asked for.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"empty": "", "a control character": "a\x1bb", "another path": "..", "huge": strings.Repeat("x", 5000)} {
		p := &peer{namespaces: []string{"default", id}, images: []*imagesapi.Image{
			{Name: "a:1", Target: &types.Descriptor{Digest: "sha256:1"}}, {Name: "b:1", Target: &types.Descriptor{Digest: id}},
		}}
		p.container = func(n int) *containersapi.Container {
			return []*containersapi.Container{{ID: "one"}, {ID: id}, nil}[n%3]
		}
		e := p.connect(t)
		for _, kind := range []engine.Kind{engine.KindNamespace, engine.KindImage, engine.KindContainer} {
			items, err := e.List(t.Context(), kind)
			if len(items) != 1 || err == nil {
				t.Errorf("%s: %d %ss, error %v: want one, and that the other is left out", name, len(items), kind, err)
			}
		}
		if _, err := e.Inspect(t.Context(), engine.Key{Kind: engine.KindContainer, Namespace: "default", ID: "other"}); err == nil {
			t.Errorf("%s: asked for a container, it answers with another one, and that is no error", name)
		}
	}
}

// TestOddEvents: an event that can't be read has its kind compared, and one that
// names nothing is none.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	broken := &anypb.Any{Value: []byte{0xff, 0xff}}
	start := func(id string) *types.Envelope {
		event, err := anypb.New(&events.TaskStart{ContainerID: id})
		if err != nil {
			t.Fatal(err)
		}
		return &types.Envelope{Namespace: "default", Topic: "/tasks/start", Event: event}
	}
	p := &peer{events: []*types.Envelope{
		start("one"), start(""), start("a\nb"),
		{Namespace: "default", Topic: "/tasks/exit", Event: broken},
		{Namespace: "default", Topic: "/images/create", Event: broken},
		{Namespace: "default", Topic: "/containers/delete", Event: broken},
		{Namespace: "default", Topic: "/namespaces/delete", Event: broken},
		start("two"), start(strings.Repeat("x", 2<<20)), start("three"),
	}}
	var got []string
	err := p.connect(t).Watch(t.Context(), time.Now(), func() {}, func(e engine.Event) { got = append(got, string(e.Key.Kind)+" "+e.Key.ID) })
	want := []string{"container one", "container ", "image ", "container ", "namespace ", "container two"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if err == nil || !strings.Contains(err.Error(), "exceeds RDD's limit") {
		t.Errorf("an event of 2 MB: %.200v", err)
	}
}

// TestEndlessDocument: a manifest without end is given up.
func TestEndlessDocument(t *testing.T) {
	t.Parallel()
	block := make([]byte, 1<<20)
	p := &peer{images: []*imagesapi.Image{{Name: "a:1", Target: &types.Descriptor{Digest: "sha256:1"}}}, blob: func(n int) []byte {
		if n > 400 {
			return nil
		}
		return block
	}}
	if _, err := p.connect(t).Inspect(t.Context(), engine.Key{Kind: engine.KindImage, Namespace: "default", ID: "sha256:1"}); err != nil {
		t.Error(err)
	}
	if sent := p.sent.Load(); sent > 40<<20 {
		t.Errorf("%d bytes were read", sent)
	}
}
