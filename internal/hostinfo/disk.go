// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"cmp"
	"os"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30

	// relief is how much more room makes a disk one that is not nearly full any
	// more, so that one at the limit is not written again and again.
	relief = 64 * mebibyte
)

// disk returns the space of the file system with RDD's data, or else the user's
// home.
func (p Places) disk() rddv1alpha1.Disk {
	dir := cmp.Or(p.Data, p.Home)
	if dir == "" {
		return rddv1alpha1.Disk{}
	}
	free, total, err := Space(dir)
	if err != nil {
		return rddv1alpha1.Disk{Path: dir}
	}
	return rddv1alpha1.Disk{
		Path:  dir,
		Free:  resource.NewQuantity(free/mebibyte*mebibyte, resource.BinarySI),
		Total: resource.NewQuantity(total, resource.BinarySI),
	}
}

// StoreSize returns the size of a SQLite database, in bytes: that of its file and
// of the log of what is not in the file yet (https://www.sqlite.org/wal.html). It
// reports false where there is none.
func StoreSize(path string) (int64, bool) {
	file, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	size := file.Size()
	if log, err := os.Stat(path + "-wal"); err == nil {
		size += log.Size()
	}
	return size, true
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
	if pressed(seen) != pressed(written) && (pressed(seen) || distance(written.Free, seen.Free) >= relief) {
		return false
	}
	step := step(written)
	return distance(written.Free, seen.Free) < step && distance(written.Total, seen.Total) < step
}

// pressed reports whether a disk is nearly full.
func pressed(d rddv1alpha1.Disk) bool {
	return diagnostics.Disk{Free: d.Free.Value(), Total: d.Total.Value()}.NearlyFull()
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
