// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	streamingapi "github.com/containerd/containerd/api/services/streaming/v1"
	transferapi "github.com/containerd/containerd/api/services/transfer/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/transfer"
	"github.com/distribution/reference"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Pull implements [engine.Puller]: containerd itself pulls, with its own
// configuration of registries.
func (e *Engine) Pull(
	ctx context.Context, namespace, name string, progress func(containersv1alpha1.PullProgress),
) (engine.Key, error) {
	image := engine.Key{Kind: engine.KindImage, Namespace: namespace}
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return image, fmt.Errorf("%w: %q: %w", engine.ErrRefused, name, err)
	}
	image.ID = named.String()
	os, architecture, err := e.platform(ctx)
	if err != nil {
		return image, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	id := "rdd-" + uuid.NewString()
	var telling sync.WaitGroup
	defer telling.Wait()
	defer cancel()
	stream, err := e.openStream(in(ctx, namespace), id)
	if err != nil {
		return image, e.refusedPull(err)
	}
	telling.Go(func() { report(stream, progress) })

	platform := &types.Platform{OS: os, Architecture: architecture}
	source, err := pack(&transfer.OCIRegistry{Reference: image.ID, Resolver: &transfer.RegistryResolver{}})
	if err != nil {
		return image, err
	}
	destination, err := pack(&transfer.ImageStore{
		Name: image.ID, Platforms: []*types.Platform{platform}, Unpacks: []*transfer.UnpackConfiguration{{Platform: platform}},
	})
	if err != nil {
		return image, err
	}
	_, err = e.transfer.Transfer(in(ctx, namespace), &transferapi.TransferRequest{
		Source: source, Destination: destination, Options: &transferapi.TransferOptions{ProgressStream: id},
	})
	if err != nil {
		return image, e.refusedPull(err)
	}
	object, err := e.Inspect(ctx, image)
	return object.Key, err
}

// refusedPull is translate for pulls: whatever containerd answers is a refusal,
// its own or the registry's.
func (e *Engine) refusedPull(err error) error {
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%w: this containerd can't pull images for clients: containerd 1.7 or newer is required", engine.ErrRefused)
	}
	refused := e.refusal(err)
	if errors.Is(refused, engine.ErrNotFound) { // in the registry
		return fmt.Errorf("%w: %s", engine.ErrRefused, status.Convert(err).Message())
	}
	return refused
}

// openStream opens a stream on which containerd tells of a transfer, and waits
// until it knows it.
func (e *Engine) openStream(ctx context.Context, id string) (streamingapi.Streaming_StreamClient, error) {
	stream, err := e.streaming.Stream(ctx, ofStream())
	if err != nil {
		return nil, err
	}
	first, err := pack(&streamingapi.StreamInit{ID: id})
	if err != nil {
		return nil, err
	}
	// Recv returns the error of a failed Send.
	_ = stream.Send(first)
	_, err = stream.Recv()
	return stream, err
}

// report reports the progress of a transfer until its stream ends.
func report(stream streamingapi.Streaming_StreamClient, progress func(containersv1alpha1.PullProgress)) {
	var pulled layers
	for {
		message, err := stream.Recv()
		if err != nil {
			return
		}
		var p transfer.Progress
		if proto.Unmarshal(message.GetValue(), &p) == nil && pulled.add(&p) {
			progress(pulled.progress())
		}
	}
}

// pack puts a message into an Any as containerd's typeurl does.
func pack(message proto.Message) (*anypb.Any, error) {
	packed, err := anypb.New(message)
	if err != nil {
		return nil, err
	}
	packed.TypeUrl = strings.TrimPrefix(packed.GetTypeUrl(), "type.googleapis.com/")
	return packed, nil
}

// layers sums up the messages about each layer.
type layers struct{ engine.Layers }

// add takes a message, and reports whether it is about a layer.
func (l *layers) add(p *transfer.Progress) bool {
	if !strings.Contains(p.GetDesc().GetMediaType(), "layer") && !strings.Contains(p.GetDesc().GetMediaType(), "rootfs") {
		return false
	}
	return l.Update(p.GetDesc().GetDigest(), func(layer *engine.Layer) {
		layer.Status = p.GetEvent()
		layer.Bytes = max(layer.Bytes, p.GetTotal(), p.GetDesc().GetSize())
		layer.CurrentBytes = max(layer.CurrentBytes, min(p.GetProgress(), layer.Bytes))
		switch p.GetEvent() {
		case "complete", "already exists", "extracting", "extracted":
			layer.CurrentBytes = layer.Bytes
		}
	})
}

// progress returns the sum.
func (l *layers) progress() containersv1alpha1.PullProgress { return l.Progress(l.Downloaded()) }
