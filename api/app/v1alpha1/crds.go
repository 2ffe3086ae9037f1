// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "embed"

// CRDs holds the CustomResourceDefinitions of the group, one YAML document a
// file.
//
//go:embed crds/*.yaml
var CRDs embed.FS
