// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"hash/fnv"
)

// FingerprintOf returns a hash of the JSON of a value. The order of lists counts.
func FingerprintOf(value any) uint64 {
	sum := fnv.New64a()
	if err := json.NewEncoder(sum).Encode(value); err != nil {
		return 0 // a value that can't be encoded has no fingerprint
	}
	return sum.Sum64()
}
