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

// pull starts the pull in the engine, and reads its messages until it has finished.
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
			continue // it does not affect the pull
		}
		if message.Error != nil { // the pull failed after the answer had begun
			return fmt.Errorf("%w: %s", engine.ErrRefused, message.Error.Message)
		}
		if pulled.add(message) {
			progress(pulled.progress())
		}
	}
}

// refusedPull is translate for pulls: an error in an answer is a refusal of the engine
// or the registry. Without an answer the connection is lost.
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

// Texts of the engine's progress messages.
const (
	statusWaiting     = "Pulling fs layer"
	statusDownloading = "Downloading"
	statusVerifying   = "Verifying Checksum"
	statusDownloaded  = "Download complete"
	statusExtracting  = "Extracting"
	statusDone        = "Pull complete"
	statusThere       = "Already exists"
)

// layers sums up the messages about each layer of a pull.
type layers struct{ engine.Layers }

// add adds a message, and reports whether it is about a layer.
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
