// SPDX-License-Identifier: Apache-2.0

package owned

// hiddenRoot is for user namespaces, which macOS does not have.
func hiddenRoot() int { return -1 }
