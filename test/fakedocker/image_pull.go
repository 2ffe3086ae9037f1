// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
)

const (
	pullLayers = 2
	pullSteps  = 4
	layerSize  = 4 << 20 // bytes
)

// progressLine is a line of a pull's answer. The API has errors twice.
type progressLine struct {
	jsonstream.Message
	ErrorMessage string `json:"error,omitempty"`
}

// puller writes the progress of a pull.
type puller struct {
	s       *Server
	r       *http.Request
	encoder *json.Encoder
	flush   *http.ResponseController
}

func (s *Server) pullImage(w http.ResponseWriter, r *http.Request, _ string) error {
	name, tag := query(r, "fromImage"), query(r, "tag")
	if name == "" {
		return refuse(http.StatusNotImplemented, "fakedocker: only pulls are simulated")
	}
	switch {
	case strings.Contains(tag, ":"):
		name += "@" + tag
	case tag != "":
		name += ":" + tag
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	named = reference.TagNameOnly(named)
	w.Header().Set("Content-Type", "application/json")
	p := &puller{s: s, r: r, encoder: json.NewEncoder(w), flush: http.NewResponseController(w)}
	return p.pull(named)
}

func (p *puller) pull(named reference.Named) error {
	tag := pullDigest(named)
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	lines := []jsonstream.Message{{Status: "Pulling from " + reference.Path(named), ID: tag}}
	p.s.mu.Lock()
	present := p.s.imgs.byKey[keyOf(named)] != nil
	failing := p.s.pullFailsLocked()
	p.s.mu.Unlock()
	if !present || failing {
		lines = append(lines, layerLines(named)...)
	}
	if failing {
		lines = lines[:len(lines)/2]
	}
	for _, line := range lines {
		if err := p.write(progressLine{Message: line}); err != nil {
			return err
		}
	}
	if failing {
		const reason = "unexpected EOF"
		return p.write(progressLine{Message: jsonstream.Message{Error: &jsonstream.Error{Message: reason}}, ErrorMessage: reason})
	}
	p.s.mu.Lock()
	fresh := p.s.pulledLocked(named)
	p.s.mu.Unlock()
	status := "Status: Image is up to date for "
	if fresh {
		status = "Status: Downloaded newer image for "
	}
	if err := p.write(progressLine{Message: jsonstream.Message{Status: "Digest: " + pullDigest(named)}}); err != nil {
		return err
	}
	return p.write(progressLine{Message: jsonstream.Message{Status: status + reference.FamiliarString(named)}})
}

// layerLines tell of layers that are loaded one after the other.
func layerLines(named reference.Named) []jsonstream.Message {
	var lines []jsonstream.Message
	var ids []string
	for n := range pullLayers {
		ids = append(ids, short(hashOf(keyOf(named)+"/"+string(rune('0'+n)))))
		lines = append(lines, jsonstream.Message{Status: "Pulling fs layer", Progress: &jsonstream.Progress{}, ID: ids[n]})
	}
	for _, id := range ids {
		for step := range pullSteps {
			done := int64(layerSize / pullSteps * (step + 1))
			lines = append(lines, jsonstream.Message{
				Status: "Downloading", ID: id, Progress: &jsonstream.Progress{Current: done, Total: layerSize},
			})
		}
		for _, status := range []string{"Verifying Checksum", "Download complete"} {
			lines = append(lines, jsonstream.Message{Status: status, Progress: &jsonstream.Progress{}, ID: id})
		}
		lines = append(lines,
			jsonstream.Message{Status: "Extracting", ID: id, Progress: &jsonstream.Progress{Current: layerSize, Total: layerSize}},
			jsonstream.Message{Status: "Pull complete", Progress: &jsonstream.Progress{}, ID: id})
	}
	return lines
}

func (p *puller) write(line progressLine) error {
	p.s.mu.Lock()
	delay := p.s.faults.pullDelay
	p.s.mu.Unlock()
	if delay > 0 {
		if err := pause(p.r.Context(), delay); err != nil {
			return err
		}
	}
	if p.encoder.Encode(line) != nil || p.flush.Flush() != nil {
		return errCut // the client has stopped reading
	}
	return nil
}
