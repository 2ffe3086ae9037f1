// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/containerd/containerd/api/events"
	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/api/types/transfer"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// stored checks that what is made of containerd's answer is the same after a way
// through the API server: else it would be written again and again.
func stored[T any](t *testing.T, status *T) {
	t.Helper()
	bounded := *status
	withoutLateTimes(reflect.ValueOf(&bounded).Elem())
	text, err := json.Marshal(bounded)
	if err != nil {
		t.Fatalf("it can't be written: %v", err)
	}
	var back T
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("it can't be read again: %v: %s", err, text)
	}
	if !apiequality.Semantic.DeepEqual(bounded, back) {
		t.Fatalf("it is another when it is read again:\n%+v\n%+v", bounded, back)
	}
}

// withoutLateTimes takes the times away that the mirror does.
func withoutLateTimes(status reflect.Value) {
	for i := range status.NumField() {
		if moment, ok := status.Field(i).Interface().(*metav1.Time); ok && moment != nil && moment.Year() > 9999 {
			status.Field(i).SetZero()
		}
	}
}

func encode(f *testing.F, message proto.Message) []byte {
	f.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

func FuzzContainer(f *testing.F) {
	process := encode(f, &task.Process{ID: "c", Pid: 7, Status: task.Status_STOPPED, ExitStatus: 137, ExitedAt: timestamppb.Now()})
	f.Add(encode(f, &containersapi.Container{ID: "c", Image: "docker.io/library/busybox:latest", CreatedAt: timestamppb.Now(), Labels: map[string]string{
		nerdctlName: "web", nerdctlPorts: `[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}]`, nerdctlExposed: `{"80/tcp":{},"1-9/udp":{}}`,
		nerdctlNetworks: `["bridge"]`, nerdctlMounts: `[{"Type":"bind","Source":"/a","Destination":"/b"}]`, nerdctlHealth: `{"Status":"healthy"}`, restartCountLabel: "3",
	}, Spec: &anypb.Any{Value: []byte(`{"process":{"args":["sleep","inf"]},"mounts":[{"type":"bind","destination":"/d","options":["ro"]}],"annotations":{"a":"b"}}`)}}), process)
	f.Add(encode(f, &containersapi.Container{ID: "p", Labels: map[string]string{criKind: "container"}, Extensions: map[string]*anypb.Any{
		criMetadata: {Value: []byte(`{"Metadata":{"LogPath":"/l","Config":{"annotations":{"io.kubernetes.container.ports":"[{\"containerPort\":80,\"hostPort\":-1,\"protocol\":\"TCP\"}]"}}}}`)},
	}}), encode(f, &task.Process{Status: 99, Pid: 1<<32 - 1, ExitStatus: 1<<32 - 1}))
	f.Add(encode(f, &containersapi.Container{CreatedAt: &timestamppb.Timestamp{Seconds: 253402300800}}), encode(f, &task.Process{
		Status: task.Status_STOPPED, ExitedAt: &timestamppb.Timestamp{Seconds: -1 << 63, Nanos: -1 << 31},
	}))
	f.Fuzz(func(t *testing.T, data, run []byte) {
		var c containersapi.Container
		var process *task.Process
		if proto.Unmarshal(data, &c) != nil {
			t.Skip()
		}
		if known := (&task.Process{}); len(run) > 0 && proto.Unmarshal(run, known) == nil {
			process = known
		}
		status := containerStatus("default", recordOf(&c), process, "sha256:1")
		stored(t, status)
		checkPorts(t, status.Ports)
		if !apiequality.Semantic.DeepEqual(status, containerStatus("default", recordOf(&c), process, "sha256:1")) {
			t.Error("the same container makes another status")
		}
		_, _ = logOf(&c, process)
	})
}

// FuzzLabels fuzzes the values of labels, which any client of containerd can write.
func FuzzLabels(f *testing.F) {
	f.Add(`[{"HostPort":8080,"ContainerPort":80,"Protocol":"","HostIP":"::"}]`, `{"80":{},"/":{},"1-9/udp":{}}`, `["b","a","a",""]`, `[{"Destination":"/d"},{"Destination":""}]`, `{"Status":"starting"}`, "10")
	f.Add(`[{"HostPort":-1,"ContainerPort":9223372036854775807}]`, `null`, `{}`, `[[]]`, `"healthy"`, "-9223372036854775808")
	f.Fuzz(func(t *testing.T, published, exposed, networks, mounted, health, grace string) {
		l := labels{nerdctlPorts: published, nerdctlExposed: exposed, nerdctlNetworks: networks, nerdctlMounts: mounted, nerdctlHealth: health, nerdctlStopTimeout: grace}
		checkPorts(t, l.ports("c"))
		attached := l.networks()
		for i := range attached {
			if i > 0 && attached[i-1].Name >= attached[i].Name {
				t.Errorf("networks are not sorted: %+v", attached)
			}
		}
		for _, m := range l.mounts() {
			if m.Destination == "" {
				t.Error("a mount without a place")
			}
		}
		if d := l.stopGrace(); d < 0 || d.Seconds() > maxStopSeconds {
			t.Errorf("it may take %v to end", d)
		}
		switch l.health() {
		case "", "starting", "healthy", "unhealthy":
		default:
			t.Errorf("health is %q", l.health())
		}
	})
}

func checkPorts(t *testing.T, ports []containersv1alpha1.Port) {
	t.Helper()
	seen := map[string]bool{}
	for _, port := range ports {
		number, protocol, ok := strings.Cut(port.Name, "/")
		if !ok || number == "" || protocol == "" || seen[port.Name] {
			t.Errorf("port %q has no protocol, or is there twice", port.Name)
		}
		seen[port.Name] = true
	}
}

func FuzzEnvelope(f *testing.F) {
	pack := func(message proto.Message) *anypb.Any {
		packed, err := pack(message)
		if err != nil {
			f.Fatal(err)
		}
		return packed
	}
	for topic, message := range map[string]proto.Message{
		"/containers/delete": &events.ContainerDelete{ID: "c"}, "/tasks/exit": &events.TaskExit{ContainerID: "c", ID: "e"},
		"/tasks/delete": &events.TaskDelete{ContainerID: "c", ID: "c"}, "/tasks/paused": &events.TaskPaused{ContainerID: "c"},
		"/images/update": &events.ImageUpdate{Name: "a:1"}, "/namespaces/create": &events.NamespaceCreate{Name: "n"}, "/images/delete": &events.ImageDelete{},
	} {
		f.Add(encode(f, &types.Envelope{Topic: topic, Namespace: "default", Event: pack(message), Timestamp: &timestamppb.Timestamp{Seconds: 1 << 62}}))
	}
	f.Add(encode(f, &types.Envelope{Topic: "/containers/create", Event: pack(&events.ContainerCreate{ID: "../x\x00"})}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var envelope types.Envelope
		if proto.Unmarshal(data, &envelope) != nil {
			t.Skip()
		}
		e := &Engine{}
		keys, err := e.subjects(&envelope)
		if err != nil {
			return
		}
		for _, key := range keys {
			if engine.CheckKey(key) != nil {
				continue // as Watch does
			}
			if key.Kind == "" || (key.Kind != engine.KindNamespace && key.Namespace == "" && envelope.GetNamespace() != "") {
				t.Errorf("the event %s names %+v", envelope.GetTopic(), key)
			}
			_ = gone(&envelope, key)
		}
		_ = passing(&envelope)
	})
}

func FuzzCRIStatus(f *testing.F) {
	inner := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 2)
	inner = protowire.AppendVarint(protowire.AppendTag(inner, 6, protowire.VarintType), 1<<63)
	inner = protowire.AppendFixed64(protowire.AppendTag(inner, 7, protowire.Fixed64Type), 7)
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
	f.Add([]byte{0x0b, 0x0b, 0x0b}) // groups that don't end
	f.Fuzz(func(t *testing.T, data []byte) {
		fate := parseFate(data)
		var status containersv1alpha1.ContainerStatus
		status.StartedAt, status.FinishedAt = timeOfNanos(fate.startedAt), timeOfNanos(fate.finishedAt)
		stored(t, &status)
		total := 0
		eachField(data, func(_ protowire.Number, _ uint64, value []byte) { total += len(value) })
		if total > len(data) {
			t.Errorf("%d bytes have fields of %d", len(data), total)
		}
	})
}

func FuzzLogLines(f *testing.F) {
	f.Add([]byte("2026-01-01T00:00:00Z stdout F hello\n2026-01-01T00:00:00Z stderr P ho\n2026-01-01T00:00:00Z stderr F  ho\n"))
	f.Add([]byte(`{"log":"hello\n","stream":"stdout"}` + "\n" + `{"log":7}` + "\n\n" + `{"log":"\ud800"`))
	f.Add([]byte(" \n  P\n" + "   P\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, decode := range map[string]func([]byte) (logEntry, bool){"plain": nil, "JSON": parseJSONLog, "CRI": parseCRILog} {
			var whole, parts bytes.Buffer
			for reader, to := range map[*bufio.Reader]*bytes.Buffer{
				bufio.NewReader(bytes.NewReader(data)): &whole, bufio.NewReader(iotest.OneByteReader(bytes.NewReader(data))): &parts,
			} {
				if err := (&decoder{from: reader, parse: decode, to: to}).drain(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if !bytes.Equal(whole.Bytes(), parts.Bytes()) {
				t.Errorf("%s: byte for byte it is %q, otherwise %q", name, parts.Bytes(), whole.Bytes())
			}
			if whole.Len() > 3*len(data) { // a byte that is no text takes three
				t.Errorf("%s: %d bytes make %d", name, len(data), whole.Len())
			}
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("b:1\na@sha256:1\nsha256:1\na:1" + "\na:1")
	f.Add("@\n\nsha256:")
	f.Fuzz(func(t *testing.T, lines string) {
		all := strings.Split(lines, "\n")
		n := sortNames(all)
		if !slices.IsSorted(n.tags) || !slices.IsSorted(n.digests) || len(n.tags)+len(n.digests) > len(all) {
			t.Errorf("%q is %+v", all, n)
		}
		if !n.fit(imageStatuses(containersv1alpha1.ImageStatus{}, n)) {
			t.Errorf("%+v does not fit what is made of it", n)
		}
		for _, status := range imageStatuses(containersv1alpha1.ImageStatus{}, n) {
			if status.RepoTag == "" && len(n.tags) > 0 {
				t.Errorf("%q makes an empty tag", all)
			}
		}
	})
}

func FuzzImageConfig(f *testing.F) {
	f.Add([]byte(`{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":{"Labels":{"a":"b"}}}`))
	f.Add([]byte(`{"created":"9999-12-31T23:59:59-23:59","os":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var config v1.Image
		if json.Unmarshal(data, &config) != nil {
			t.Skip()
		}
		var status containersv1alpha1.ImageStatus
		describeConfig(&status, &config)
		stored(t, &status)
	})
}

func FuzzProgress(f *testing.F) {
	layer := &types.Descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: "sha256:1", Size: 7}
	f.Add(encode(f, &transfer.Progress{Event: "downloading", Progress: 1, Total: 2, Desc: layer}), encode(f, &transfer.Progress{Event: "complete", Desc: layer}))
	f.Add(encode(f, &transfer.Progress{Progress: 1 << 62, Total: 1<<63 - 1, Desc: layer}), encode(f, &transfer.Progress{Progress: -1 << 63, Total: -1 << 63, Desc: &types.Descriptor{MediaType: "layer", Size: 1<<63 - 1}}))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var pulled layers
		percent := int32(0)
		for _, data := range [][]byte{first, second} {
			var message transfer.Progress
			if proto.Unmarshal(data, &message) != nil || !pulled.add(&message) {
				continue
			}
			p := pulled.progress()
			if p.Percent < percent || p.Percent > 99 || p.CurrentBytes < 0 || p.CurrentBytes > p.TotalBytes {
				t.Errorf("%d%% after %d%%, %d of %d bytes", p.Percent, percent, p.CurrentBytes, p.TotalBytes)
			}
			percent = p.Percent
		}
	})
}

func FuzzSignal(f *testing.F) {
	for _, seed := range []string{"SIGTERM", "9", "RTMIN+3", "SIGRTMIN+31", "", "-1", "255", "256"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if n := signalNumber(name); n == 0 || n > 255 {
			t.Errorf("%q is signal %d", name, n)
		}
	})
}
