// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// maxInfo is how many bytes each word may have that an engine says of itself.
const maxInfo = 1 << 10

// Bounded returns the description with words that are safe to show. One that tells engines apart and is not becomes its hash: it has to stay another one
// than any other.
func (i Info) Bounded() Info {
	for _, name := range []*string{&i.ID, &i.HostName, &i.RootDir} {
		if printable.Text(*name, maxInfo) != *name {
			sum := sha256.Sum256([]byte(*name))
			*name = "sha256:" + hex.EncodeToString(sum[:])
		}
	}
	for _, word := range []*string{&i.Version, &i.APIVersion, &i.OS, &i.Architecture} {
		*word = printable.Text(*word, maxInfo)
	}
	return i
}

// Clamp32 returns the number, or the nearest one that a status has room for.
func Clamp32(number int64) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, number)))
}

// NoTime stands for a time of an engine that has no form in RFC 3339, in whose place a mirror has none and says so.
func NoTime() time.Time { return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }
