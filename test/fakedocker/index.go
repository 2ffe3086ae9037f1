// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// bucketLength is chosen so that 10,000 hexadecimal IDs make buckets of two or
// three.
const bucketLength = 3

// prefixIndex finds an ID by its beginning. A prefix shorter than bucketLength
// looks at all buckets.
type prefixIndex map[string]map[string]struct{}

func bucketOf(id string) string { return id[:min(bucketLength, len(id))] }

func (x prefixIndex) add(id string) {
	bucket := x[bucketOf(id)]
	if bucket == nil {
		bucket = map[string]struct{}{}
		x[bucketOf(id)] = bucket
	}
	bucket[id] = struct{}{}
}

func (x prefixIndex) remove(id string) {
	delete(x[bucketOf(id)], id)
	if len(x[bucketOf(id)]) == 0 {
		delete(x, bucketOf(id))
	}
}

// find returns the ID that begins so, if there is only one, and how many there
// are: 0, 1, or 2 for more.
func (x prefixIndex) find(prefix string) (found string, matches int) {
	if prefix == "" {
		return "", 0
	}
	for name, bucket := range x {
		if len(prefix) >= bucketLength {
			bucket = x[bucketOf(prefix)]
		} else if !strings.HasPrefix(name, prefix) {
			continue
		}
		for id := range bucket {
			if strings.HasPrefix(id, prefix) {
				found, matches = id, matches+1
			}
			if matches > 1 {
				return "", 2
			}
		}
		if len(prefix) >= bucketLength {
			break
		}
	}
	return found, matches
}

// newHexID returns an ID as Docker makes them.
func newHexID() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// short returns the ID as people read it.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
