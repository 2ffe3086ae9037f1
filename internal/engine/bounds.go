// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// maxInfo bounds each field of an [Info], in bytes.
const maxInfo = 1 << 10

// Bounded returns the description with values that are safe to show. An unsafe value of a field that identifies the engine is replaced by its hash, which
// keeps it unique.
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

// Clamp32 returns the nearest number that fits into 32 bits.
func Clamp32(number int64) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, number)))
}

// NoTime stands for a time of an engine that RFC 3339 can't express. A mirror omits it and reports that.
func NoTime() time.Time { return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }
