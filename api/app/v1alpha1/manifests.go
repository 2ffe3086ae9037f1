// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "embed"

// Files holds the CustomResourceDefinitions of the group, in crds/, and
// its policies, in policies/.
//
//go:embed crds/*.yaml policies/*.yaml
var Files embed.FS
