// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"strings"
)

// ImageEnv is the environment variable with the image for Apps that name none, in the
// syntax of [ParseImage].
const ImageEnv = "RDD_VM_IMAGE"

// builtinImages are Debian's cloud images. Debian keeps releases under their date. The
// digests are Lima 2.2's for the same images in templates/_images/debian-12.yaml. No
// image lacks a digest, because Lima would fall back to it when the digest of the first
// does not match.
func builtinImages() []image {
	const base = "https://cloud.debian.org/images/cloud/bookworm/20260712-2537/debian-12-genericcloud-"
	return []image{{
		Location: base + "amd64-20260712-2537.qcow2",
		Arch:     "x86_64",
		Digest: "sha512:6c2607f1846ee86040830c87d0b723f0967da3e884ea4673d9db4aa8eee13a4b" +
			"7c663524bfa42082c16fc6919f3aa1bf425c004d07ff06c53a319ad0c42647bb",
	}, {
		Location: base + "arm64-20260712-2537.qcow2",
		Arch:     "aarch64",
		Digest: "sha512:52eb678130e85a9bf9f3cf4f7181e060fa60a5db45373717474c5ff9305645c5" +
			"e6cab8b05ca042bcfa7921d2ca29cf9fd2e815f75abe2d168557ad7207af127b",
	}}
}

// ParseImage parses a user's image: LOCATION, or LOCATION#ALGORITHM:HEX with sha256 or
// sha512. The location is an absolute path of the host, a path that begins with ~/, or
// a URL with http, https or file. It is not checked for existence. The digest is empty
// if there is none.
func ParseImage(s string) (location, digest string, err error) {
	i, err := parseImage(s, runtime.GOOS)
	return i.Location, i.Digest, err
}

func parseImage(s, os string) (image, error) {
	i := image{Location: s}
	// Only this form is a digest: a file's name may have a #.
	if at := regexp.MustCompile(`#sha[0-9]+:[^/]*$`).FindStringIndex(s); at != nil {
		i.Location, i.Digest = s[:at[0]], s[at[0]+1:]
		if !regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`).MatchString(i.Digest) {
			return image{}, fmt.Errorf("image %q: the digest %q must be sha256: with 64, or sha512: with 128 lower case hexadecimal digits", s, i.Digest)
		}
	}
	if !isURL(i.Location) && !isPath(i.Location, os) {
		return image{}, fmt.Errorf("image %q: must be an absolute path, a path that begins with ~/, or a URL with http, https or file", s)
	}
	return i, nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != ""
	case "file":
		return u.Path != ""
	}
	return false
}

func isPath(s, os string) bool {
	if strings.HasPrefix(s, "~/") {
		return true
	}
	if os == "windows" {
		return regexp.MustCompile(`^([A-Za-z]:[\\/]|\\\\)`).MatchString(s)
	}
	return strings.HasPrefix(s, "/")
}
