// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// The CRI plugin serves the kubelet, on containerd's socket too. It keeps the state of
// its containers in memory, and deletes a task as soon as that has exited: only the
// plugin has the exit code, and only the plugin can start and remove its containers.
// Few fields of few messages of its API are needed
// (https://github.com/kubernetes/cri-api, pkg/apis/runtime/v1/api.proto).
const (
	criService = "/runtime.v1.RuntimeService/"

	criContainerRunning = 1
	criContainerExited  = 2
	criSandboxNotReady  = 1

	// criNotice is how long the plugin may take to report the exit of a task that it
	// has deleted. It is polled after each criPause.
	criNotice = 2 * time.Second
	criPause  = 10 * time.Millisecond
)

// criFate is the result of a container's run in the CRI plugin.
type criFate struct {
	id         string
	state      uint64
	startedAt  int64 // ns since 1970, as is finishedAt
	finishedAt int64
	exitCode   int32
}

// ofCRI reports whether the CRI plugin created the container.
func ofCRI(c *containersapi.Container) bool { return c.GetLabels()[criKind] != "" }

func isSandbox(c *containersapi.Container) bool { return c.GetLabels()[criKind] == "sandbox" }

// criCall calls a method with an ID as the only field of its request. It reports
// whether the plugin knows the ID.
func (e *Engine) criCall(ctx context.Context, method, id string) (answer []byte, known bool, err error) {
	request := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id)
	err = e.conn.Invoke(ctx, criService+method, &request, &answer, grpc.ForceCodec(wire{}))
	switch status.Code(err) {
	case codes.Unimplemented, codes.NotFound:
		return nil, false, nil
	}
	return answer, err == nil, e.refusal(err)
}

// setFate sets the result of the last run of a container of the CRI plugin, which
// containerd itself does not keep.
func (e *Engine) setFate(ctx context.Context, c *containersapi.Container, s *containersv1alpha1.ContainerStatus) error {
	fate, known, err := e.criFate(ctx, c)
	if err != nil || !known {
		return err
	}
	ended := fate.state == criContainerExited
	if isSandbox(c) {
		ended = fate.state == criSandboxNotReady
	}
	if !ended {
		return nil
	}
	setPhase(s, containersv1alpha1.PhaseExited)
	s.ExitCode, s.StartedAt, s.FinishedAt = fate.exitCode, timeOfNanos(fate.startedAt), timeOfNanos(fate.finishedAt)
	return nil
}

// criFate reads the result of a run from the CRI plugin. The plugin reports the exit
// only after it has deleted the task, without an event: criFate polls.
func (e *Engine) criFate(ctx context.Context, c *containersapi.Container) (criFate, bool, error) {
	method := "ContainerStatus"
	if isSandbox(c) {
		method = "PodSandboxStatus"
	}
	for began := time.Now(); ; {
		answer, known, err := e.criCall(ctx, method, c.GetID())
		if err != nil || !known {
			return criFate{}, false, err
		}
		fate := parseFate(answer)
		if fate.id != c.GetID() { // an empty state would mean that it was never started
			return criFate{}, false, fmt.Errorf("the CRI plugin does not report the status of container %s", c.GetID())
		}
		if isSandbox(c) || fate.state != criContainerRunning {
			return fate, true, nil
		}
		if time.Since(began) > criNotice {
			return criFate{}, false, fmt.Errorf("the CRI plugin reports container %s as running, but it has no task", c.GetID())
		}
		select {
		case <-ctx.Done():
			return criFate{}, false, ctx.Err()
		case <-time.After(criPause):
		}
	}
}

// parseFate reads the status of a container or a sandbox, which is the first
// field of the answer.
func parseFate(answer []byte) criFate {
	var fate criFate
	eachField(answer, func(number protowire.Number, _ uint64, value []byte) {
		if number != 1 {
			return
		}
		eachField(value, func(number protowire.Number, varint uint64, value []byte) {
			switch number {
			case 1:
				fate.id = string(value)
			case 3:
				fate.state = varint
			case 5: // of a sandbox it is a message
				fate.startedAt = signed(varint)
			case 6:
				fate.finishedAt = signed(varint)
			case 7:
				fate.exitCode = engine.Clamp32(signed(varint))
			}
		})
	})
	return fate
}

// signed returns the value of a varint in a field of the type int64 or int32.
func signed(varint uint64) int64 {
	return int64(varint) //nolint:gosec // the encoding is two's complement
}

// eachField calls f for each field of a message, until one can't be decoded.
func eachField(message []byte, f func(number protowire.Number, varint uint64, value []byte)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		switch kind {
		case protowire.VarintType:
			varint, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return
			}
			f(number, varint, nil)
			message = message[n:]
		case protowire.BytesType:
			value, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return
			}
			f(number, 0, value)
			message = message[n:]
		default:
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return
			}
			message = message[n:]
		}
	}
}

// criStart starts a container of the CRI plugin, which starts each container once.
// known reports whether the plugin has the container; with an error it is false.
func (e *Engine) criStart(ctx context.Context, c *containersapi.Container) (known bool, err error) {
	if isSandbox(c) {
		return false, fmt.Errorf("%w: container %s is the sandbox of a pod: only the kubelet starts it, with its pod", engine.ErrRefused, c.GetID())
	}
	_, known, err = e.criCall(ctx, "StartContainer", c.GetID())
	return known, err
}

// criRemove removes a container of the CRI plugin with its networks, and with a
// sandbox all containers of the pod. It ignores containers that the plugin does not
// know.
func (e *Engine) criRemove(ctx context.Context, c *containersapi.Container) error {
	methods := []string{"RemoveContainer"}
	if isSandbox(c) {
		methods = []string{"StopPodSandbox", "RemovePodSandbox"}
	}
	for _, method := range methods {
		if _, _, err := e.criCall(ctx, method, c.GetID()); err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
	}
	return nil
}

// wire is a codec for encoded messages.
type wire struct{}

func (wire) Name() string { return "proto" }

func (wire) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (wire) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func timeOfNanos(nanos int64) *metav1.Time {
	if nanos <= 0 {
		return nil
	}
	return &metav1.Time{Time: time.Unix(0, nanos).Truncate(time.Second).UTC()}
}

// criMetadata is the extension with the CRI plugin's metadata.
const criMetadata = "io.cri-containerd.container.metadata"

// criRecord is the used part of the CRI plugin's metadata.
type criRecord struct {
	LogPath    string
	StopSignal string
	Config     struct {
		Annotations map[string]string `json:"annotations"`
	}
}

func criMetadataOf(c *containersapi.Container) criRecord {
	if !ofCRI(c) {
		return criRecord{}
	}
	var kept struct{ Metadata criRecord }
	_ = limits.Unmarshal(c.GetExtensions()[criMetadata].GetValue(), &kept)
	return kept.Metadata
}
