// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/utils/ptr"
)

// part is a field of a status that can be made smaller. Weights are upper bounds of its JSON, in bytes.
type part interface {
	// weight returns its weight with values cut at limit; 0 is no limit.
	weight(limit int) int
	// valid reports whether all of it is UTF-8.
	valid() bool
	// cut cuts its values at limit, makes them UTF-8, and leaves out entries that can't be cut.
	cut(limit int)
	// trim leaves out entries from its end until it weighs at most limit. A single value stays.
	trim(limit int)
	// hasEntries reports whether it has entries to leave out.
	hasEntries() bool
	// note names the field and what is missing; empty if nothing is.
	note() string
}

// shrink makes parts smaller until they weigh at most limit together: it cuts the values at the largest length that suffices, and only then leaves
// out entries, of the largest parts first.
func shrink(parts []part, limit int) {
	total := func(length int) int {
		sum := 0
		for _, p := range parts {
			sum += p.weight(length)
		}
		return sum
	}
	length := 0
	if total(0) > limit {
		for length = longestValue; length > shortestValue && total(length) > limit; length /= 2 {
		}
	} else if !slices.ContainsFunc(parts, func(p part) bool { return !p.valid() }) {
		return
	}
	for _, p := range parts {
		p.cut(length)
	}
	if total(0) <= limit {
		return
	}
	share := fairShare(parts, limit)
	for _, p := range parts {
		p.trim(share)
	}
}

// fairShare returns the largest weight that each part with entries may have.
func fairShare(parts []part, limit int) int {
	var weights []int
	for _, p := range parts {
		if p.hasEntries() {
			weights = append(weights, p.weight(0))
		} else {
			limit -= p.weight(0)
		}
	}
	slices.Sort(weights)
	for i, weight := range weights {
		share := limit / (len(weights) - i)
		if weight > share {
			return max(share, 0)
		}
		limit -= weight
	}
	return max(limit, 0)
}

func notesOf(parts []part) []string {
	var notes []string
	for _, p := range parts {
		if note := p.note(); note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}

// text is a field with one value.
type text struct {
	field string
	value *string
	least int // it is not cut below this
	short bool
}

func (t *text) weight(limit int) int { return widthAt(*t.value, t.limit(limit)) }

func (t *text) valid() bool { return utf8.ValidString(*t.value) }

func (t *text) cut(limit int) { *t.value, t.short = cutValue(*t.value, t.limit(limit)) }

func (t *text) limit(limit int) int {
	if limit == 0 {
		return 0
	}
	return max(limit, t.least)
}

func (*text) trim(int) {}

func (*text) hasEntries() bool { return false }

func (t *text) note() string {
	if t.short {
		return t.field + " (cut)"
	}
	return ""
}

// list is a field with entries in an order.
type list[T any] struct {
	field    string
	items    *[]T
	overhead int             // of an entry's JSON, for each two values and for the entry
	key      func(*T) string // nil if entries have none. Keys are not cut: two might become equal
	values   func(*T) []*string
	clone    func(T) T // nil if a copy shares nothing

	missing missing
}

func (l *list[T]) weight(limit int) int {
	sum := 0
	for i := range *l.items {
		sum += l.weightOf(&(*l.items)[i], limit)
	}
	return sum
}

func (l *list[T]) weightOf(item *T, limit int) int {
	weight := l.overhead
	if l.key != nil {
		key := l.key(item)
		if tooWide(key, limit) {
			return 0 // it is left out
		}
		weight += width(key)
	}
	values := l.values(item)
	for _, value := range values {
		weight += widthAt(*value, limit)
	}
	return weight + l.overhead*(len(values)/2)
}

func (l *list[T]) valid() bool {
	return !slices.ContainsFunc(*l.items, func(item T) bool {
		return l.key != nil && !utf8.ValidString(l.key(&item)) ||
			slices.ContainsFunc(l.values(&item), func(value *string) bool { return !utf8.ValidString(*value) })
	})
}

func (l *list[T]) cut(limit int) {
	kept := make([]T, 0, len(*l.items))
	for _, item := range *l.items {
		if l.key != nil && !usable(l.key(&item), limit) {
			continue
		}
		if l.clone != nil {
			item = l.clone(item)
		}
		for _, value := range l.values(&item) {
			cut, short := cutValue(*value, limit)
			if *value = cut; short {
				l.missing.cut++
			}
		}
		kept = append(kept, item)
	}
	l.keep(kept)
}

func (l *list[T]) trim(limit int) {
	var kept []T
	room := limit
	for i := range *l.items {
		item := &(*l.items)[i]
		weight := l.weightOf(item, 0)
		if weight > limit {
			continue // a port with thousands of bindings
		}
		if room -= weight; room < 0 {
			break
		}
		kept = append(kept, *item)
	}
	l.keep(kept)
}

func (l *list[T]) keep(kept []T) {
	l.missing.leaveOut(len(*l.items), len(kept))
	if len(kept) == 0 {
		kept = nil
	}
	*l.items = kept
}

func (*list[T]) hasEntries() bool { return true }

func (l *list[T]) note() string { return l.missing.note(l.field) }

// dict is a field with named values.
type dict struct {
	field   string
	entries *map[string]string

	missing missing
}

// dictOverhead is of an entry's JSON.
const dictOverhead = 6

func (d *dict) weight(limit int) int {
	sum := 0
	for key, value := range *d.entries {
		if !tooWide(key, limit) {
			sum += dictOverhead + width(key) + widthAt(value, limit)
		}
	}
	return sum
}

func (d *dict) valid() bool {
	for key, value := range *d.entries {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return false
		}
	}
	return true
}

func (d *dict) cut(limit int) {
	kept := make(map[string]string, len(*d.entries))
	for key, value := range *d.entries {
		if !usable(key, limit) {
			continue
		}
		cut, short := cutValue(value, limit)
		if kept[key] = cut; short {
			d.missing.cut++
		}
	}
	d.keep(kept)
}

func (d *dict) trim(limit int) {
	kept := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(*d.entries)) {
		value := (*d.entries)[key]
		if limit -= dictOverhead + width(key) + width(value); limit < 0 {
			break
		}
		kept[key] = value
	}
	d.keep(kept)
}

func (d *dict) keep(kept map[string]string) {
	d.missing.leaveOut(len(*d.entries), len(kept))
	if len(kept) == 0 {
		kept = nil
	}
	*d.entries = kept
}

func (*dict) hasEntries() bool { return true }

func (d *dict) note() string { return d.missing.note(d.field) }

// missing counts the missing entries and values of a field.
type missing struct {
	all  *int // entries, before the first was left out
	left int
	cut  int // values
}

func (m *missing) leaveOut(all, kept int) {
	if m.all == nil {
		m.all = ptr.To(all)
	}
	m.left = *m.all - kept
}

func (m *missing) note(field string) string {
	var words []string
	if m.cut > 0 {
		words = append(words, fmt.Sprintf("values cut: %d", m.cut))
	}
	if m.left > 0 {
		words = append(words, fmt.Sprintf("left out: %d of %d", m.left, *m.all))
	}
	if len(words) == 0 {
		return ""
	}
	return field + " (" + strings.Join(words, ", ") + ")"
}

// usable reports whether a key is UTF-8 and not too long.
func usable(key string, limit int) bool {
	return utf8.ValidString(key) && !tooWide(key, limit)
}

func tooWide(key string, limit int) bool { return limit > 0 && widthAt(key, limit+1) > limit }

// width returns the size of a string in JSON, in bytes, without quotes. HTML characters are escaped, as encoding/json does by default. It is at most
// maxStatus.
func width(s string) int { return widthAt(s, maxStatus) }

// widthAt returns the width of a string that is cut at limit; 0 is none.
func widthAt(s string, limit int) int {
	if limit == 0 {
		return width(s)
	}
	sum := 0
	for _, character := range s {
		if sum += characterWidth(character); sum > limit {
			return limit
		}
	}
	return sum
}

func characterWidth(character rune) int {
	const escaped, short = 6, 2
	switch character {
	case '"', '\\', '\b', '\f', '\n', '\r', '\t':
		return short
	case '<', '>', '&', '\u2028', '\u2029', utf8.RuneError:
		return escaped
	}
	if character < ' ' {
		return escaped
	}
	return utf8.RuneLen(character)
}

// cutValue makes a string UTF-8, and cuts it to a width of at most limit; 0 is no limit. A cut string ends with its original number of bytes. It
// reports whether it cut the string.
func cutValue(s string, limit int) (string, bool) {
	length := len(s)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	if limit == 0 || widthAt(s, limit+1) <= limit {
		return s, false
	}
	marker := fmt.Sprintf("…(%d bytes)", length)
	room := limit - len(marker)
	for at, character := range s {
		if room -= characterWidth(character); room < 0 {
			return s[:at] + marker, true
		}
	}
	return s, false
}
