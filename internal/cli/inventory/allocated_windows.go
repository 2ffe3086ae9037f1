// SPDX-License-Identifier: Apache-2.0

package inventory

import "io/fs"

func allocated(info fs.FileInfo) int64 { return info.Size() }
