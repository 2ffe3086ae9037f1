// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/events"
)

// images are guarded by Server.mu.
type images struct {
	byID     map[string]*img // sha256:…
	byKey    map[string]*img // by references as keyOf writes them
	prefixes prefixIndex     // of the IDs without sha256:
	made     uint64          // images ever
}

func newImages() images {
	return images{byID: map[string]*img{}, byKey: map[string]*img{}, prefixes: prefixIndex{}}
}

// img is an image.
type img struct {
	id       string
	number   uint64
	created  time.Time
	tagged   time.Time
	size     int64
	command  []string
	labels   map[string]string
	tags     map[string]reference.Named // by key
	digests  map[string]reference.Named // by key
	users    map[string]*ctr            // by ID
	running  int                        // of the users
	imported bool
}

// keyOf returns the one way to write a reference that has a tag or a digest.
func keyOf(named reference.Named) string {
	if digested, ok := named.(reference.Canonical); ok {
		return named.Name() + "@" + digested.Digest().String()
	}
	return named.String()
}

// imageLocked finds an image by its ID, a reference, or the beginning of its ID.
// It also returns the key of the reference, if it was one.
func (s *Server) imageLocked(text string) (found *img, key string, err error) {
	id := "sha256:" + strings.TrimPrefix(text, "sha256:")
	if i := s.imgs.byID[id]; i != nil {
		return i, "", nil
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		if len(id) == len("sha256:")+64 { // what only an ID may look like
			return nil, "", refuse(http.StatusNotFound, "No such image: %s", id)
		}
		return nil, "", refuse(http.StatusBadRequest, "%v", err)
	}
	named = reference.TagNameOnly(named)
	key = keyOf(named)
	if i := s.imgs.byKey[key]; i != nil {
		return i, key, nil
	}
	hexID, matches := s.imgs.prefixes.find(strings.TrimPrefix(text, "sha256:"))
	if matches == 1 {
		return s.imgs.byID["sha256:"+hexID], "", nil
	}
	return nil, "", refuse(http.StatusNotFound, "No such image: %s", reference.FamiliarString(named))
}

// addImageLocked makes an image without a name.
func (s *Server) addImageLocked(id string) *img {
	s.imgs.made++
	i := &img{
		id:      id,
		number:  s.imgs.made,
		created: s.clock(),
		size:    int64(10e6 + s.imgs.made), // bytes
		command: []string{"sleep", "infinity"},
		tags:    map[string]reference.Named{},
		digests: map[string]reference.Named{},
		users:   map[string]*ctr{},
	}
	s.imgs.byID[id] = i
	s.imgs.prefixes.add(strings.TrimPrefix(id, "sha256:"))
	return i
}

// tagLocked gives an image a reference. Another image that had it loses it, which
// no event tells.
func (s *Server) tagLocked(i *img, named reference.Named) {
	key := keyOf(named)
	if other := s.imgs.byKey[key]; other != nil {
		delete(other.tags, key)
		delete(other.digests, key)
	}
	s.imgs.byKey[key] = i
	if _, ok := named.(reference.Canonical); ok {
		i.digests[key] = named
		return
	}
	i.tags[key] = named
	i.tagged = s.clock()
}

// tellImageLocked emits an event of an image.
func (s *Server) tellImageLocked(i *img, action events.Action, id, name string) {
	attributes := map[string]string{}
	maps.Copy(attributes, i.labels)
	attributes["name"] = name
	s.emitLocked(events.ImageEventType, action, id, attributes)
}

// untagLocked takes a reference from its image, and returns how people write it.
func (s *Server) untagLocked(i *img, key string) string {
	named, ok := i.tags[key]
	if !ok {
		named = i.digests[key]
	}
	delete(i.tags, key)
	delete(i.digests, key)
	delete(s.imgs.byKey, key)
	s.tellImageLocked(i, events.ActionUnTag, i.id, i.id)
	return reference.FamiliarString(named)
}

// keys returns the keys of all references to an image, tags first.
func (i *img) keys() []string {
	return append(slices.Sorted(maps.Keys(i.tags)), slices.Sorted(maps.Keys(i.digests))...)
}

// single reports whether an image has no two names: one tag at most, and digests
// only of the same repository.
func (i *img) single() bool {
	repositories := map[string]bool{}
	for _, named := range i.tags {
		repositories[named.Name()] = true
	}
	for _, named := range i.digests {
		repositories[named.Name()] = true
	}
	return len(i.tags) <= 1 && len(repositories) <= 1
}

// user returns one of the containers of an image that runs, or doesn't.
func (i *img) user(running bool) *ctr {
	if (running && i.running == 0) || (!running && i.running == len(i.users)) {
		return nil
	}
	for _, c := range i.users {
		if c.running() == running {
			return c
		}
	}
	return nil
}

// AddImage makes an image, as `docker import` does, and gives it tags, which
// other images lose if they had them. It returns the image's ID. Texts that are
// no references are left out.
func (s *Server) AddImage(tags ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.addImageLocked("sha256:" + newHexID())
	i.imported = true
	for _, tag := range tags {
		if named, err := tagReference(tag); err == nil {
			s.tagLocked(i, named)
			s.tellImageLocked(i, events.ActionTag, i.id, reference.FamiliarString(named))
		}
	}
	s.tellImageLocked(i, events.ActionImport, i.id, i.id)
	return i.id
}

// tagReference reads a reference with a tag: latest, if it has none.
func tagReference(text string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, err
	}
	named = reference.TagNameOnly(named)
	if _, ok := named.(reference.Canonical); ok {
		return nil, errors.New("refusing to create a tag with a digest reference")
	}
	return named, nil
}

// hashOf returns an ID made of a text.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
