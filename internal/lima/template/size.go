// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/api/resource"
)

const mebibyte = 1 << 20

// Size returns a quantity of bytes in Lima's notation, in which Kubernetes' 4Gi is
// 4GiB. It rounds up to whole MiB: QEMU's unit of memory, and a multiple of a disk's
// sectors.
func Size(name string, q resource.Quantity) (string, error) {
	bytes := q.Value() // rounded up
	if bytes <= 0 || bytes > math.MaxInt64-mebibyte {
		return "", fmt.Errorf("%s %s: must be a number of bytes above 0, as in 4Gi", name, q.String())
	}
	mib := (bytes + mebibyte - 1) / mebibyte
	if mib%1024 == 0 {
		return fmt.Sprintf("%dGiB", mib/1024), nil
	}
	return fmt.Sprintf("%dMiB", mib), nil
}
