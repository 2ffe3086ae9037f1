// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"fmt"
	"slices"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Pull implements [engine.Puller].
func (e *Engine) Pull(ctx context.Context, _, reference string, progress func(containersv1alpha1.PullProgress)) (engine.Key, error) {
	image := engine.Key{Kind: engine.KindImage, ID: reference}
	response, err := e.api().ImagePull(ctx, reference, client.ImagePullOptions{})
	if err != nil {
		return image, refusedPull(err)
	}
	var pulled layers
	for message, err := range response.JSONMessages(ctx) {
		switch {
		case err != nil:
			return image, err
		case message.Error != nil: // the engine answered before it knew
			return image, fmt.Errorf("%w: %s", engine.ErrRefused, message.Error.Message)
		}
		if pulled.add(message) {
			progress(pulled.progress())
		}
	}
	if err := ctx.Err(); err != nil {
		return image, err
	}
	object, err := e.Inspect(ctx, image)
	return object.Key, err
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
type layers struct {
	list []containersv1alpha1.LayerProgress
	// unpacked is how much of each layer was unpacked, from 0 to 1.
	unpacked []float64
	percent  int32
}

// add takes a message, and reports whether it is about a layer.
func (l *layers) add(message jsonstream.Message) bool {
	switch message.Status {
	case statusWaiting, "Waiting", statusDownloading, statusVerifying, statusDownloaded, statusExtracting, statusDone, statusThere:
	default:
		return false
	}
	i := slices.IndexFunc(l.list, func(layer containersv1alpha1.LayerProgress) bool { return layer.ID == message.ID })
	if i < 0 {
		i = len(l.list)
		l.list = append(l.list, containersv1alpha1.LayerProgress{ID: message.ID})
		l.unpacked = append(l.unpacked, 0)
	}
	layer := &l.list[i]
	layer.Status = message.Status
	if p := message.Progress; p != nil && p.Total > 0 {
		switch message.Status {
		case statusDownloading:
			layer.CurrentBytes, layer.TotalBytes = p.Current, p.Total
		case statusExtracting:
			l.unpacked[i] = min(1, float64(p.Current)/float64(p.Total))
		}
	}
	switch message.Status {
	case statusVerifying, statusDownloaded, statusExtracting:
		layer.CurrentBytes = layer.TotalBytes
	case statusDone, statusThere:
		layer.CurrentBytes = layer.TotalBytes
		l.unpacked[i] = 1
	}
	return true
}

// progress returns the sum. The layers whose size is not known yet count as
// much as the others do on average, and unpacking as much as downloading.
func (l *layers) progress() containersv1alpha1.PullProgress {
	p := containersv1alpha1.PullProgress{Layers: slices.Clone(l.list)}
	known := 0
	for _, layer := range l.list {
		p.CurrentBytes += layer.CurrentBytes
		p.TotalBytes += layer.TotalBytes
		if layer.TotalBytes > 0 {
			known++
		}
	}
	average := 1.0
	if known > 0 {
		average = float64(p.TotalBytes) / float64(known)
	}
	done, all := 0.0, 0.0
	for i, layer := range l.list {
		weight, downloaded := average, l.unpacked[i]
		if layer.TotalBytes > 0 {
			weight = float64(layer.TotalBytes)
			downloaded = float64(layer.CurrentBytes) / weight
		}
		done += weight * (downloaded + l.unpacked[i]) / 2
		all += weight
	}
	// New layers must not take it back, and the end is told by the pull's end.
	l.percent = max(l.percent, int32(max(0, min(99, 100*done/all))))
	p.Percent = l.percent
	return p
}
