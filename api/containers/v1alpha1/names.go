// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// ImageName returns the name of the Image object for a tag of an image (or for
// the untagged image, if tag is empty) in the engine of that name: img- and
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

// NetworkName returns the name of the Network object for a network in the engine
// of that name: net- and the SHA-256, in hexadecimal, of the two parts with a zero
// byte between them. Podman's default network has the same ID everywhere.
func NetworkName(engine, id string) string {
	return hashedName("net-", engine, id)
}

// ContainerName returns the name of the Container object for a container in the
// engine of that name if the ID is not a valid name in Kubernetes: ctr- and the
// SHA-256, in hexadecimal, of the two parts with a zero byte between them. The
// names of other Containers are the IDs.
func ContainerName(engine, id string) string {
	return hashedName("ctr-", engine, id)
}

// NamespacedContainerName returns the name of the Container object for a
// container in a namespace of the engine of that name, since several namespaces can
// have the same ID: ctr- and the SHA-256, in hexadecimal, of the three parts with a
// zero byte between them.
func NamespacedContainerName(engine, namespace, id string) string {
	return hashedName("ctr-", engine, namespace, id)
}

// NamespacedImageName is [ImageName] for an image in a namespace of the engine. It
// hashes all four parts, in this order.
func NamespacedImageName(engine, namespace, id, tag string) string {
	return hashedName("img-", engine, namespace, id, tag)
}

// ContainerNamespaceName returns the name of the ContainerNamespace object for a
// namespace in the engine of that name if it is not a valid name in Kubernetes:
// ns- and the SHA-256, in hexadecimal, of the two parts with a zero byte between
// them. Other ContainerNamespaces have the name of the namespace.
func ContainerNamespaceName(engine, namespace string) string {
	return hashedName("ns-", engine, namespace)
}

func hashedName(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + hex.EncodeToString(sum[:])
}
