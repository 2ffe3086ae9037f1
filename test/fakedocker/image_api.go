// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
)

// noNone is the first API version without <none> for what an image lacks.
const noNone = 43

func (s *Server) listImages(w http.ResponseWriter, r *http.Request, _ string) error {
	filter, err := readFilters(r, "reference", "dangling", "label")
	if err != nil {
		return err
	}
	type listed struct {
		image.Summary
		number uint64
	}
	list := []listed{}
	s.mu.Lock()
	for _, i := range s.imgs.byID {
		if imageFits(filter, i) {
			list = append(list, listed{s.imageSummary(filter, i), i.number})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b listed) int { return cmp.Compare(b.number, a.number) })
	return s.writeList(w, Images, list)
}

func imageFits(f filters, i *img) bool {
	return f.labels(i.labels) &&
		f.any("dangling", func(value string) bool { return isTrue(value) == (len(i.tags) == 0) }) &&
		(len(f["reference"]) == 0 || len(matching(f, i.tags)) > 0)
}

// matching returns the references that a filter asks for, or all.
func matching(f filters, references map[string]reference.Named) map[string]reference.Named {
	if len(f["reference"]) == 0 {
		return references
	}
	fitting := map[string]reference.Named{}
	for key, named := range references {
		fits := f.any("reference", func(pattern string) bool {
			fits, err := reference.FamiliarMatch(pattern, named)
			return err == nil && fits
		})
		if fits {
			fitting[key] = named
		}
	}
	return fitting
}

func (s *Server) imageSummary(f filters, i *img) image.Summary {
	summary := image.Summary{
		ID:          i.id,
		Created:     i.created.Unix(),
		Containers:  -1,
		SharedSize:  -1,
		Size:        i.size,
		Labels:      i.labels,
		RepoTags:    familiar(matching(f, i.tags)),
		RepoDigests: familiar(i.digests),
	}
	if len(i.tags) == 0 && s.apiMinor < noNone {
		summary.RepoTags = []string{"<none>:<none>"}
		if len(i.digests) == 0 {
			summary.RepoDigests = []string{"<none>@<none>"}
		}
	}
	return summary
}

// familiar returns references as people write them, sorted.
func familiar(references map[string]reference.Named) []string {
	texts := make([]string, 0, len(references))
	for _, named := range references {
		texts = append(texts, reference.FamiliarString(named))
	}
	slices.Sort(texts)
	return texts
}

func (s *Server) inspectImage(w http.ResponseWriter, _ *http.Request, name string) error {
	found, err := s.imageDetails(name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

func (s *Server) imageDetails(name string) (*image.InspectResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _, err := s.imageLocked(name)
	names := []string{name}
	if err == nil && i.id != name {
		names = append(names, i.id)
	}
	if s.inspectFailsLocked(names...) {
		return nil, refuse(http.StatusInternalServerError, "fakedocker: the inspect of image %s is set to fail", name)
	}
	if err != nil {
		return nil, err
	}
	response := &image.InspectResponse{
		ID:           i.id,
		RepoTags:     familiar(i.tags),
		RepoDigests:  familiar(i.digests),
		Created:      apiTime(i.created),
		Config:       &dockerspec.DockerOCIImageConfig{},
		Architecture: "amd64",
		Os:           "linux",
		Size:         i.size,
		RootFS:       image.RootFS{Type: "layers", Layers: []string{"sha256:" + hashOf(i.id)}},
		Metadata:     image.Metadata{LastTagTime: i.tagged},
	}
	response.Config.Cmd = i.command
	response.Config.Labels = i.labels
	if i.imported {
		response.Comment = "Imported from -"
	}
	return response, nil
}

func (s *Server) tagImage(w http.ResponseWriter, r *http.Request, name string) error {
	target := query(r, "repo")
	if tag := query(r, "tag"); tag != "" {
		target += ":" + tag
	}
	named, err := tagReference(target)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _, err := s.imageLocked(name)
	if err != nil {
		return err
	}
	s.tagLocked(i, named)
	s.tellImageLocked(i, events.ActionTag, i.id, reference.FamiliarString(named))
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) removeImage(w http.ResponseWriter, r *http.Request, name string) error {
	force := flag(r, "force")
	if err := s.removalGate(r.Context(), name, r.URL.RawQuery); err != nil {
		return err
	}
	s.mu.Lock()
	records, err := s.removeImageLocked(name, force)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, records)
}

// removeImageLocked removes a reference, and the image with its last one; or,
// given an ID, an image whose references are all of one name.
func (s *Server) removeImageLocked(name string, force bool) ([]image.DeleteResponse, error) {
	i, key, err := s.imageLocked(name)
	if err != nil {
		return nil, err
	}
	records := []image.DeleteResponse{}
	if key == "" {
		if err := i.inUse(force, i.single()); err != nil {
			return nil, err
		}
		return s.deleteImageLocked(i, records), nil
	}
	if c := i.anyUser(); c != nil && !force && i.single() {
		return nil, refuse(http.StatusConflict,
			"conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
			name, short(c.id), short(i.id))
	}
	repository := repositoryOf(i, key)
	records = append(records, image.DeleteResponse{Untagged: s.untagLocked(i, key)})
	// Digests of a repository go with its last tag.
	tagged := slices.ContainsFunc(slices.Collect(maps.Keys(i.tags)), func(k string) bool { return repositoryOf(i, k) == repository })
	for _, k := range slices.Sorted(maps.Keys(i.digests)) {
		if !tagged && repositoryOf(i, k) == repository {
			records = append(records, image.DeleteResponse{Untagged: s.untagLocked(i, k)})
		}
	}
	// With other names, or in use by what force can't end, the image stays.
	if len(i.keys()) > 0 || i.inUse(force, true) != nil {
		return records, nil //nolint:nilerr // the removal of the name is what was asked for
	}
	return s.deleteImageLocked(i, records), nil
}

// inUse returns why an image can't be removed, or nothing. A container that
// doesn't run, and several names, yield to force.
func (i *img) inUse(force, single bool) error {
	if c := i.user(true); c != nil {
		return refuse(http.StatusConflict,
			"conflict: unable to delete %s (cannot be forced) - image is being used by running container %s",
			short(i.id), short(c.id))
	}
	const must = "conflict: unable to delete %s (must be forced) - "
	switch c := i.user(false); {
	case force:
		return nil
	case !single:
		return refuse(http.StatusConflict, must+"image is referenced in multiple repositories", short(i.id))
	case c != nil:
		return refuse(http.StatusConflict, must+"image is being used by stopped container %s", short(i.id), short(c.id))
	}
	return nil
}

func (i *img) anyUser() *ctr {
	for _, c := range i.users {
		return c
	}
	return nil
}

func repositoryOf(i *img, key string) string {
	if named := i.tags[key]; named != nil {
		return named.Name()
	}
	if named := i.digests[key]; named != nil {
		return named.Name()
	}
	return ""
}

func (s *Server) deleteImageLocked(i *img, records []image.DeleteResponse) []image.DeleteResponse {
	for _, key := range i.keys() {
		records = append(records, image.DeleteResponse{Untagged: s.untagLocked(i, key)})
	}
	delete(s.imgs.byID, i.id)
	s.imgs.prefixes.remove(strings.TrimPrefix(i.id, "sha256:"))
	gone := img{} // dockerd has forgotten the labels by now
	s.tellImageLocked(&gone, events.ActionDelete, i.id, i.id)
	return append(records, image.DeleteResponse{Deleted: i.id})
}

// pullDigest returns the digest of the one image that the simulated registries
// have under a reference.
func pullDigest(named reference.Named) string {
	if digested, ok := named.(reference.Canonical); ok {
		return digested.Digest().String()
	}
	return "sha256:" + hashOf("manifest:"+keyOf(named))
}

// pulledLocked makes the image of a pull, if there is none yet, and reports
// whether anything is new.
func (s *Server) pulledLocked(named reference.Named) (fresh bool) {
	digest := pullDigest(named)
	id := "sha256:" + hashOf("config:"+digest)
	i := s.imgs.byID[id]
	if i == nil {
		i = s.addImageLocked(id)
		i.created = time.Unix(1700000000, 0)
	}
	canonical, err := reference.ParseNormalizedNamed(named.Name() + "@" + digest)
	if err == nil && s.imgs.byKey[keyOf(canonical)] != i {
		s.tagLocked(i, canonical)
		fresh = true
	}
	if s.imgs.byKey[keyOf(named)] != i {
		s.tagLocked(i, named)
		fresh = true
	}
	s.tellImageLocked(i, events.ActionPull, reference.FamiliarString(named), reference.FamiliarName(named))
	return fresh
}
