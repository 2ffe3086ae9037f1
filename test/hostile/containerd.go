// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/containerd/api/events"
	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	contentapi "github.com/containerd/containerd/api/services/content/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	streamingapi "github.com/containerd/containerd/api/services/streaming/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	versionapi "github.com/containerd/containerd/api/services/version/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/api/types/transfer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The surfaces of containerd's API, in the order of its services.
const (
	Containers        = "containers.v1.Containers/ListStream"
	GetContainer      = "containers.v1.Containers/Get"
	UpdateContainer   = "containers.v1.Containers/Update"
	DeleteContainer   = "containers.v1.Containers/Delete"
	ContentRead       = "content.v1.Content/Read"
	Subscribe         = "events.v1.Events/Subscribe"
	Publish           = "events.v1.Events/Publish"
	Images            = "images.v1.Images/List"
	GetImage          = "images.v1.Images/Get"
	DeleteImage       = "images.v1.Images/Delete"
	Server            = "introspection.v1.Introspection/Server"
	Plugins           = "introspection.v1.Introspection/Plugins"
	Namespaces        = "namespaces.v1.Namespaces/List"
	DeleteNamespace   = "namespaces.v1.Namespaces/Delete"
	Mounts            = "snapshots.v1.Snapshots/Mounts"
	RemoveSnapshot    = "snapshots.v1.Snapshots/Remove"
	Streaming         = "streaming.v1.Streaming/Stream"
	Tasks             = "tasks.v1.Tasks/List"
	GetTask           = "tasks.v1.Tasks/Get"
	CreateTask        = "tasks.v1.Tasks/Create"
	StartTask         = "tasks.v1.Tasks/Start"
	KillTask          = "tasks.v1.Tasks/Kill"
	WaitTask          = "tasks.v1.Tasks/Wait"
	PauseTask         = "tasks.v1.Tasks/Pause"
	ResumeTask        = "tasks.v1.Tasks/Resume"
	DeleteTask        = "tasks.v1.Tasks/Delete"
	ExecTask          = "tasks.v1.Tasks/Exec"
	Transfer          = "transfer.v1.Transfer/Transfer"
	ContainerdVersion = "version.v1.Version/Version"
	CRIStatus         = "runtime.v1.RuntimeService/ContainerStatus"
)

// The objects of the simulated containerd: one of each kind, in one namespace.
// The container CRI is one of the CRI plugin, without a task.
const (
	ContainerdNamespace = "default"
	ContainerID         = "c1"
	CRIContainerID      = "pod-container"
	ImageName           = "docker.io/library/busybox:latest"
	ImageDigest         = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// getCRIContainer is [GetContainer] of the other container.
const getCRIContainer = GetContainer + "/" + CRIContainerID

// Containerd is a simulated containerd, which answers always the same: what is
// done to it changes nothing.
func Containerd() http.Handler {
	answers := containerdAnswers()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		surface := surfaceOf(r)
		var request []byte
		if surface != Streaming {
			request, _ = io.ReadAll(r.Body)
		}
		if bytes.Contains(request, []byte(CRIContainerID)) { // the other is meant everywhere else
			switch surface {
			case GetContainer:
				surface = getCRIContainer
			case GetTask:
				begin(w)
				end(w, codeNotFound, "no task")
				return
			}
		}
		if surface == Subscribe {
			time.Sleep(50 * time.Millisecond) // so that it is knocked at
		}
		begin(w)
		for _, message := range answers(surface) {
			_, _ = w.Write(envelop(message))
			_ = http.NewResponseController(w).Flush()
		}
		switch surface {
		case Subscribe:
			<-r.Context().Done()
		case Streaming, WaitTask:
			select {
			case <-r.Context().Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		end(w, 0, "")
	})
}

// begin begins an answer in gRPC's protocol over HTTP/2
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func begin(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
}

func end(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Grpc-Status", strconv.Itoa(code))
	w.Header().Set("Grpc-Message", message)
}

// envelop returns a message with its header.
func envelop(message []byte) []byte {
	return append(length(uint32(len(message))), message...)
}

// messages takes an answer's body apart.
func messages(body []byte) [][]byte {
	var all [][]byte
	for len(body) >= 5 {
		n := int(binary.BigEndian.Uint32(body[1:5]))
		if len(body) < 5+n {
			break
		}
		all = append(all, body[5:5+n])
		body = body[5+n:]
	}
	return all
}

// containerdAnswers returns the messages of the good answer to each method.
func containerdAnswers() func(surface string) [][]byte {
	created := timestamppb.New(time.Unix(1700000000, 0))
	target := &types.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: ImageDigest, Size: 7}
	image := &imagesapi.Image{Name: ImageName, Target: target, CreatedAt: created, UpdatedAt: created}
	container := &containersapi.Container{
		ID: ContainerID, Image: ImageName, Snapshotter: "overlayfs", SnapshotKey: ContainerID, CreatedAt: created, UpdatedAt: created,
		Labels: map[string]string{"nerdctl/name": "one", "nerdctl/ports": `[{"HostPort":80,"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}]`},
		Spec:   &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec", Value: []byte(`{"process":{"args":["sleep","inf"]}}`)},
	}
	pod := &containersapi.Container{
		ID: CRIContainerID, Image: ImageName, CreatedAt: created, UpdatedAt: created,
		Labels: map[string]string{"io.cri-containerd.kind": "container", "io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n"},
	}
	process := &task.Process{ID: ContainerID, ContainerID: ContainerID, Pid: 7, Status: task.Status_RUNNING}
	layer := &transfer.Progress{Event: "extracting", Name: "layer", Progress: 1, Total: 2, Desc: &types.Descriptor{
		MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: ImageDigest, Size: 2,
	}}
	fixed := map[string][]proto.Message{
		Containers:        {&containersapi.ListContainerMessage{Container: container}, &containersapi.ListContainerMessage{Container: pod}},
		GetContainer:      {&containersapi.GetContainerResponse{Container: container}},
		getCRIContainer:   {&containersapi.GetContainerResponse{Container: pod}},
		UpdateContainer:   {&containersapi.UpdateContainerResponse{Container: container}},
		ContentRead:       {&contentapi.ReadContentResponse{Data: []byte(`{"os":"linux","architecture":"amd64","config":{"digest":"` + ImageDigest + `","size":2}}`)}},
		Subscribe:         {knockEnvelope(), containerEnvelope()},
		Images:            {&imagesapi.ListImagesResponse{Images: []*imagesapi.Image{image}}},
		GetImage:          {&imagesapi.GetImageResponse{Image: image}},
		Server:            {&introspectionapi.ServerResponse{UUID: "11111111-1111-1111-1111-111111111111"}},
		Plugins:           {&introspectionapi.PluginsResponse{Plugins: []*introspectionapi.Plugin{{Type: "io.containerd.runtime.v2", ID: "task", Platforms: []*types.Platform{{OS: "linux", Architecture: "amd64"}}}}}},
		Namespaces:        {&namespacesapi.ListNamespacesResponse{Namespaces: []*namespacesapi.Namespace{{Name: ContainerdNamespace, Labels: map[string]string{"a": "b"}}}}},
		Mounts:            {&snapshotsapi.MountsResponse{Mounts: []*types.Mount{{Type: "overlay", Source: "overlay"}}}},
		Streaming:         {packed(&streamingapi.StreamInit{}), packed(layer)},
		Tasks:             {&tasksapi.ListTasksResponse{Tasks: []*task.Process{process}}},
		GetTask:           {&tasksapi.GetResponse{Process: process}},
		CreateTask:        {&tasksapi.CreateTaskResponse{ContainerID: ContainerID, Pid: 7}},
		StartTask:         {&tasksapi.StartResponse{Pid: 7}},
		WaitTask:          {&tasksapi.WaitResponse{ExitStatus: 7, ExitedAt: created}},
		DeleteTask:        {&tasksapi.DeleteResponse{ID: ContainerID, ExitStatus: 7, ExitedAt: created}},
		ContainerdVersion: {&versionapi.VersionResponse{Version: "v1.7.0"}},
	}
	encoded := map[string][][]byte{CRIStatus: {criStatus()}}
	for surface, all := range fixed {
		for _, message := range all {
			encoded[surface] = append(encoded[surface], must(proto.Marshal(message)))
		}
	}
	return func(surface string) [][]byte {
		if all := encoded[strings.TrimPrefix(surface, "/")]; all != nil {
			return all
		}
		return [][]byte{must(proto.Marshal(&emptypb.Empty{}))}
	}
}

// criStatus is a runtime.v1.ContainerStatusResponse of a container that has ended.
func criStatus() []byte {
	var status []byte
	status = protowire.AppendTag(status, 1, protowire.BytesType)
	status = protowire.AppendString(status, CRIContainerID)
	for number, value := range []uint64{3: 2, 4: 1700000000e9, 5: 1700000000e9, 6: 1700000001e9, 7: 7} {
		if value != 0 {
			status = protowire.AppendTag(status, protowire.Number(number), protowire.VarintType)
			status = protowire.AppendVarint(status, value)
		}
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), status)
}

func knockEnvelope() *types.Envelope {
	return &types.Envelope{Timestamp: timestamppb.New(time.Unix(1700000000, 0)), Namespace: "rdd", Topic: "/rdd/watching", Event: packed(&events.NamespaceUpdate{Name: "rdd"})}
}

func containerEnvelope() *types.Envelope {
	return &types.Envelope{
		Timestamp: timestamppb.New(time.Unix(1700000000, 0)), Namespace: ContainerdNamespace, Topic: "/containers/update",
		Event: packed(&events.ContainerUpdate{ID: ContainerID, Image: ImageName}),
	}
}

// packed puts a message into an Any as containerd's typeurl does.
func packed(message proto.Message) *anypb.Any {
	return &anypb.Any{TypeUrl: string(message.ProtoReflect().Descriptor().FullName()), Value: must(proto.Marshal(message))}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}
