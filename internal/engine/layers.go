// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	// shownLayers is how many layers a pull's progress lists. Docker allows 127 in
	// an image that it can run.
	shownLayers = 128
	// knownLayers bounds the layers whose progress is tracked.
	knownLayers = 4096
	// maxLayerText is the length of a layer's ID or status, in bytes.
	maxLayerText = 256
	// maxLayerBytes bounds the size of a layer: the sum of all must fit into 63 bits.
	maxLayerBytes = 1 << 50
)

// Layer is the progress of a pull for one layer.
type Layer struct {
	Status              string
	CurrentBytes, Bytes int64
	// Unpacked is the unpacked part of the layer, from 0 to 1.
	Unpacked float64
}

// Layers sums up the layers of a pull. Its memory and the work for one message are
// bounded.
type Layers struct {
	index   map[string]int
	ids     []string
	layers  []Layer
	total   layerSum
	hidden  layerSum // of the layers that are not shown one by one
	percent int32
}

// layerSum is a sum over layers, updated with each change.
type layerSum struct {
	current, bytes int64
	known          int     // layers whose size is known
	unpackedBytes  float64 // of those
	unpacked       float64 // of the others, in layers
	count          int
}

func (s *layerSum) add(l Layer, sign int) {
	s.current += int64(sign) * l.CurrentBytes
	s.bytes += int64(sign) * l.Bytes
	s.count += sign
	if l.Bytes > 0 {
		s.known += sign
		s.unpackedBytes += float64(sign) * float64(l.Bytes) * l.Unpacked
		return
	}
	s.unpacked += float64(sign) * l.Unpacked
}

// Update updates a layer. It reports whether the layer counts.
func (l *Layers) Update(id string, change func(*Layer)) bool {
	id = shortText(id)
	i, ok := l.index[id]
	switch {
	case ok:
		l.count(i, -1)
	case len(l.layers) == knownLayers:
		return false
	default:
		if l.index == nil {
			l.index = map[string]int{}
		}
		i = len(l.layers)
		l.index[id] = i
		l.ids, l.layers = append(l.ids, id), append(l.layers, Layer{})
	}
	layer := &l.layers[i]
	change(layer)
	layer.Status = shortText(layer.Status)
	layer.Bytes = min(max(layer.Bytes, 0), maxLayerBytes)
	layer.CurrentBytes = min(max(layer.CurrentBytes, 0), layer.Bytes)
	layer.Unpacked = min(max(layer.Unpacked, 0), 1)
	l.count(i, 1)
	return true
}

func (l *Layers) count(i, sign int) {
	l.total.add(l.layers[i], sign)
	if i >= shownLayers {
		l.hidden.add(l.layers[i], sign)
	}
}

// Downloaded returns the downloaded part of the layers, in percent.
func (l *Layers) Downloaded() int32 {
	if l.total.bytes > 0 {
		l.percent = max(l.percent, int32(max(0, min(99, 100*(float64(l.total.current)/float64(l.total.bytes))))))
	}
	return l.percent
}

// Done returns the finished part of the work, in percent. The layers whose size is
// not known yet count as much as the others do on average, and unpacking as much
// as downloading.
func (l *Layers) Done() int32 {
	s := l.total
	if s.count == 0 {
		return l.percent
	}
	average := 1.0
	if s.known > 0 {
		average = float64(s.bytes) / float64(s.known)
	}
	// Of a layer of unknown size as much is downloaded as is unpacked.
	done := (float64(s.current)+s.unpackedBytes)/2 + average*s.unpacked
	all := float64(s.bytes) + average*float64(s.count-s.known)
	// New layers must not lower it, and 100 is for the end of the pull.
	l.percent = max(l.percent, int32(max(0, min(99, 100*done/all+rounding))))
	return l.percent
}

// rounding compensates the rounding errors of sums.
const rounding = 1e-6

// Progress returns the sum, and the layers: those beyond the first ones as one.
func (l *Layers) Progress(percent int32) containersv1alpha1.PullProgress {
	p := containersv1alpha1.PullProgress{Percent: percent, CurrentBytes: l.total.current, TotalBytes: l.total.bytes}
	shown := l.layers[:min(len(l.layers), shownLayers)]
	p.Layers = make([]containersv1alpha1.LayerProgress, len(shown))
	for i, layer := range shown {
		p.Layers[i] = containersv1alpha1.LayerProgress{
			ID: l.ids[i], Status: layer.Status, CurrentBytes: layer.CurrentBytes, TotalBytes: layer.Bytes,
		}
	}
	if l.hidden.count > 0 {
		last := l.hidden
		last.add(l.layers[shownLayers-1], 1)
		p.Layers[shownLayers-1] = containersv1alpha1.LayerProgress{
			ID: fmt.Sprintf("%d more", last.count), Status: "more layers", CurrentBytes: last.current, TotalBytes: last.bytes,
		}
	}
	return p
}

func shortText(text string) string {
	if len(text) > maxLayerText {
		text = text[:maxLayerText]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
