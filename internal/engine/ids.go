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
	// maxIdentity is for what an engine says of itself. It is in the status of its
	// ContainerEngine, and is compared with that.
	maxIdentity = 1024
)

// CheckKey returns why an object can't have the key: what an engine sends need
// not be what an engine has. Every key from an engine is checked where it enters.
// A key with an empty ID in particular would stand for all of its kind.
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

// checkNamespace takes what fits into a header, where containerd has it. Empty is
// for engines with but one.
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

// CheckTag returns why an image can't have the tag.
func CheckTag(tag string) error { return checkText(tag, maxName) }

// Check returns why an engine can't be who it says. Its machine's name and its
// directory are empty where they can't be true.
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
		return errors.New("would lead to another path of the API")
	}
	return nil
}

// PartialError says that a list has entries that can't be used. It comes with
// all others: these can be compared, but an object that is not among them may
// exist nevertheless.
type PartialError struct {
	Kind Kind
	// Unusable is the number of entries that can't be used.
	Unusable int
	// First says what is wrong with the first of them.
	First error
}

// Error implements error.
func (e *PartialError) Error() string {
	if e.Unusable == 1 {
		return fmt.Sprintf("the engine's list of %ss has an entry that can't be mirrored: %v", e.Kind, e.First)
	}
	return fmt.Sprintf("the engine's list of %ss has %d entries that can't be mirrored, the first of them because %v", e.Kind, e.Unusable, e.First)
}

// Unwrap returns what is wrong with the first entry.
func (e *PartialError) Unwrap() error { return e.First }

// Usable sorts out the items whose key can't be one.
type Usable struct {
	kind    Kind
	items   []Item
	problem *PartialError
}

// NewUsable returns an empty list of items of a kind.
func NewUsable(kind Kind) *Usable { return &Usable{kind: kind} }

// Add takes an item, unless its key or one of its tags can't be one.
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

// List returns what [Engine.List] does.
func (u *Usable) List() ([]Item, error) {
	if u.problem != nil {
		return u.items, u.problem
	}
	return u.items, nil
}
