// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "embed"

// Files holds the CustomResourceDefinitions of the group, in crds/.
//
//go:embed crds/*.yaml
var Files embed.FS
