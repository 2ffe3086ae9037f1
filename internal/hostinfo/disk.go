// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// disk returns the space of the file system with the user's home.
func (p Places) disk() rddv1alpha1.Disk {
	if p.Home == "" {
		return rddv1alpha1.Disk{}
	}
	free, total, err := space(p.Home)
	if err != nil {
		return rddv1alpha1.Disk{Path: p.Home}
	}
	return rddv1alpha1.Disk{
		Path:  p.Home,
		Free:  resource.NewQuantity(free/mebibyte*mebibyte, resource.BinarySI),
		Total: resource.NewQuantity(total, resource.BinarySI),
	}
}

// changed reports whether what was seen is to be written over what is. Of the
// disk only big changes count: its space changes all the time.
func changed(written, seen *rddv1alpha1.HostInfoStatus) bool {
	compared := *seen
	if near(written.Disk, seen.Disk) {
		compared.Disk = written.Disk
	}
	return !apiequality.Semantic.DeepEqual(*written, compared)
}

// near reports whether the spaces of a disk are so close that the difference is
// not worth a write. The size counts too, as some file systems (ZFS) give what
// is free of a pool as part of the size.
func near(written, seen rddv1alpha1.Disk) bool {
	if written.Path != seen.Path || !known(written) || !known(seen) {
		return false
	}
	step := step(written)
	return distance(written.Free, seen.Free) < step && distance(written.Total, seen.Total) < step
}

// step returns how far the space must move to be written again: 1 GiB or 5 % of
// the whole, whichever is larger. Where that would hide that a big disk fills up
// it is a quarter of what was free, and still 1 GiB at least.
func step(written rddv1alpha1.Disk) int64 {
	return max(gibibyte, min(written.Total.Value()/20, written.Free.Value()/4))
}

func known(d rddv1alpha1.Disk) bool { return d.Free != nil && d.Total != nil }

func distance(a, b *resource.Quantity) int64 {
	return max(a.Value()-b.Value(), b.Value()-a.Value())
}
