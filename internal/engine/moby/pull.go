// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// Pull implements [engine.Puller].
func (e *Engine) Pull(ctx context.Context, _, reference string, progress func(containersv1alpha1.PullProgress)) (engine.Key, error) {
	image := engine.Key{Kind: engine.KindImage, ID: reference}
	if err := e.pull(ctx, reference, progress); err != nil {
		return image, err
	}
	object, err := e.Inspect(ctx, image)
	return object.Key, err
}

// pull has the engine pull, and reads what it reports until it has.
func (e *Engine) pull(ctx context.Context, reference string, progress func(containersv1alpha1.PullProgress)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	response, err := e.api().ImagePull(expectEndless(ctx, "a pull"), reference, client.ImagePullOptions{})
	if err != nil {
		return refusedPull(err)
	}
	defer func() { _ = response.Close() }()
	messages := limits.NewMessages(response, "a message of the pull", e.stall, cancel)
	var pulled layers
	for {
		text, err := messages.Next()
		switch cause := context.Cause(ctx); {
		case cause != nil:
			return cause
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the progress of the pull: %w", err)
		}
		var message jsonstream.Message
		if json.Unmarshal(text, &message) != nil {
			continue // it has no effect on the pull, whose end tells
		}
		if message.Error != nil { // the engine answered before it knew
			return fmt.Errorf("%w: %s", engine.ErrRefused, message.Error.Message)
		}
		if pulled.add(message) {
			progress(pulled.progress())
		}
	}
}

// refusedPull is translate for pulls: whatever the engine answers is a refusal,
// its own or the registry's. What was no answer is a lost connection.
func refusedPull(err error) error {
	for _, answered := range []func(error) bool{
		cerrdefs.IsNotFound, cerrdefs.IsInvalidArgument, cerrdefs.IsUnauthorized, cerrdefs.IsPermissionDenied,
		cerrdefs.IsConflict, cerrdefs.IsInternal, cerrdefs.IsNotImplemented, cerrdefs.IsFailedPrecondition,
	} {
		if answered(err) {
			return fmt.Errorf("%w: %w", engine.ErrRefused, err)
		}
	}
	return err
}

// Words of the engine's progress messages.
const (
	statusWaiting     = "Pulling fs layer"
	statusDownloading = "Downloading"
	statusVerifying   = "Verifying Checksum"
	statusDownloaded  = "Download complete"
	statusExtracting  = "Extracting"
	statusDone        = "Pull complete"
	statusThere       = "Already exists"
)

// layers adds up what the messages of a pull say of each layer.
type layers struct{ engine.Layers }

// add takes a message, and reports whether it is about a layer.
func (l *layers) add(message jsonstream.Message) bool {
	switch message.Status {
	case statusWaiting, "Waiting", statusDownloading, statusVerifying, statusDownloaded, statusExtracting, statusDone, statusThere:
	default:
		return false
	}
	return l.Update(message.ID, func(layer *engine.Layer) {
		layer.Status = message.Status
		if p := message.Progress; p != nil && p.Total > 0 {
			switch message.Status {
			case statusDownloading:
				layer.CurrentBytes, layer.Bytes = p.Current, p.Total
			case statusExtracting:
				layer.Unpacked = float64(p.Current) / float64(p.Total)
			}
		}
		switch message.Status {
		case statusVerifying, statusDownloaded, statusExtracting:
			layer.CurrentBytes = layer.Bytes
		case statusDone, statusThere:
			layer.CurrentBytes = layer.Bytes
			layer.Unpacked = 1
		}
	})
}

// progress returns the sum.
func (l *layers) progress() containersv1alpha1.PullProgress { return l.Progress(l.Done()) }
