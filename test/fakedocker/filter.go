// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// filters are those of a request: the values of each term, of which one must fit.
type filters map[string][]string

// readFilters reads the filters of a request, in the API's form or the one that
// it had before 1.22. A term that isn't known is refused.
func readFilters(r *http.Request, known ...string) (filters, error) {
	text := query(r, "filters")
	if text == "" {
		return nil, nil
	}
	read := filters{}
	sets := map[string]map[string]bool{}
	if err := json.Unmarshal([]byte(text), &sets); err == nil {
		for term, values := range sets {
			for value, on := range values {
				if on {
					read[term] = append(read[term], value)
				}
			}
		}
	} else if json.Unmarshal([]byte(text), &read) != nil {
		return nil, refuse(http.StatusBadRequest, "invalid filter: %v", err)
	}
	for term := range read {
		if !slices.Contains(known, term) {
			return nil, refuse(http.StatusBadRequest, "Invalid filter '%s'", term)
		}
	}
	return read, nil
}

// any reports whether one of the term's values fits, or the term isn't filtered.
func (f filters) any(term string, fits func(value string) bool) bool {
	values := f[term]
	return len(values) == 0 || slices.ContainsFunc(values, fits)
}

func (f filters) exact(term, actual string) bool {
	return f.any(term, func(value string) bool { return value == actual })
}

// labels reports whether all label filters (key, or key=value) fit.
func (f filters) labels(actual map[string]string) bool {
	return !slices.ContainsFunc(f["label"], func(wanted string) bool {
		key, value, hasValue := strings.Cut(wanted, "=")
		found, ok := actual[key]
		return !ok || (hasValue && found != value)
	})
}
