// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// ImageName returns the name of the Image object for a tag of an image (or for
// the untagged image, where tag is empty) in the engine of that name: img- and
// the SHA-256, in hexadecimal, of the three parts with a zero byte between them.
func ImageName(engine, id, tag string) string {
	return hashedName("img-", engine, id, tag)
}

// VolumeName returns the name of the Volume object for a volume in the engine
// of that name: vol- and the SHA-256, in hexadecimal, of the two parts with a
// zero byte between them.
func VolumeName(engine, volume string) string {
	return hashedName("vol-", engine, volume)
}

// ContainerName returns the name of the Container object for a container in the
// engine of that name whose ID Kubernetes would refuse as a name: ctr- and the
// SHA-256, in hexadecimal, of the two parts with a zero byte between them. Other
// containers' names are their IDs.
func ContainerName(engine, id string) string {
	return hashedName("ctr-", engine, id)
}

func hashedName(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + hex.EncodeToString(sum[:])
}
