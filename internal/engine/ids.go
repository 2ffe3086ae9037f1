// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxID is for the IDs of containers and networks, which are 64 hexadecimal digits in Docker
	// and at most 76 characters in containerd, and for the names of namespaces. In
	// bytes, as is maxName.
	maxID = 256
	// maxName is for volumes and for references of images: a path that is a
	// volume's name, or a registry's host, path and digest.
	maxName = 4096
	// maxIdentity bounds the fields of an engine's identity, which are kept in the
	// status of its ContainerEngine and compared with it.
	maxIdentity = 1024
)

// CheckKey returns why a key is invalid: an engine may send anything, so every key
// from an engine is checked. A key with an empty ID would mean all objects of its
// kind.
func CheckKey(key Key) error {
	limit := maxID
	if key.Kind == KindVolume || key.Kind == KindImage {
		limit = maxName
	}
	if (key.Kind == KindContainer || key.Kind == KindNetwork) && strings.Contains(key.ID, "/") {
		return errors.New("its ID has a slash")
	}
	if err := checkText(key.ID, limit); err != nil {
		return fmt.Errorf("its %s %w", idWord(key.Kind), err)
	}
	if key.Kind == KindNamespace {
		return checkNamespace(key.ID)
	}
	return checkNamespace(key.Namespace)
}

// checkNamespace accepts a namespace that fits into a header, as containerd needs it.
// It is empty for engines with only one.
func checkNamespace(name string) error {
	if name == "" {
		return nil
	}
	if err := checkText(name, maxID); err != nil {
		return fmt.Errorf("its namespace %w", err)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		return errors.New("its namespace is not ASCII")
	}
	return nil
}

// CheckTag returns why a tag is invalid.
func CheckTag(tag string) error { return checkText(tag, maxName) }

// Check returns why the ID of an engine is invalid. It clears an invalid host name or
// directory.
func (i *Info) Check() error {
	if i.ID != "" {
		if err := checkText(i.ID, maxIdentity); err != nil {
			return fmt.Errorf("the engine's ID %w", err)
		}
	}
	for _, text := range []*string{&i.HostName, &i.RootDir} {
		if checkText(*text, maxIdentity) != nil {
			*text = ""
		}
	}
	return nil
}

func idWord(kind Kind) string {
	if kind == KindVolume || kind == KindNamespace {
		return "name"
	}
	return "ID"
}

func checkText(text string, limit int) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case len(text) > limit:
		return fmt.Errorf("has %d bytes, more than %d", len(text), limit)
	// A JSON decoder puts the replacement character in the place of other bytes.
	case !utf8.ValidString(text), strings.ContainsRune(text, utf8.RuneError):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("has control characters")
	case text == ".", text == "..", strings.HasPrefix(text, "../"), strings.Contains(text, "/../"), strings.HasSuffix(text, "/.."):
		return errors.New("would change the path of the API request")
	}
	return nil
}

// PartialError is the error of a list with unusable entries. The list has all other
// entries: these can be compared, but an object that is missing may exist.
type PartialError struct {
	Kind Kind
	// Unusable is the number of entries that can't be used.
	Unusable int
	// First is why the first of them is unusable.
	First error
}

// Error implements error.
func (e *PartialError) Error() string {
	if e.Unusable == 1 {
		return fmt.Sprintf("the engine's list of %ss has an entry that can't be mirrored: %v", e.Kind, e.First)
	}
	return fmt.Sprintf("the engine's list of %ss has %d entries that can't be mirrored, the first of them because %v", e.Kind, e.Unusable, e.First)
}

// Unwrap returns why the first entry is unusable.
func (e *PartialError) Unwrap() error { return e.First }

// Usable collects the items of a list with valid keys and tags.
type Usable struct {
	kind    Kind
	items   []Item
	problem *PartialError
}

// NewUsable returns an empty list of items of a kind.
func NewUsable(kind Kind) *Usable { return &Usable{kind: kind} }

// Add adds an item, unless its key or one of its tags is invalid.
func (u *Usable) Add(item Item) {
	if err := CheckKey(item.Key); err != nil {
		u.Drop(err)
		return
	}
	for _, tag := range item.Tags {
		if err := CheckTag(tag); err != nil {
			u.Drop(fmt.Errorf("a tag of it %w", err))
			return
		}
	}
	u.items = append(u.items, item)
}

// Drop counts an entry that has no item.
func (u *Usable) Drop(why error) {
	if u.problem == nil {
		u.problem = &PartialError{Kind: u.kind, First: why}
	}
	u.problem.Unusable++
}

// List returns the results of [Engine.List].
func (u *Usable) List() ([]Item, error) {
	if u.problem != nil {
		return u.items, u.problem
	}
	return u.items, nil
}
