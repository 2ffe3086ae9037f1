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

	// relief is how much more free space ends the pressure of a nearly full disk, so
	// that a disk at the limit does not cause repeated writes.
	relief = 64 * mebibyte
)

// disk returns the space of the file system with RDD's data, or of the user's home
// directory.
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

// StoreSize returns the size of a SQLite database, in bytes: of its file and its
// write-ahead log (https://www.sqlite.org/wal.html). It reports false if there is none.
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

// changed reports whether to write the observed state. Small changes of the disk don't
// count: its space changes constantly.
func changed(written, observed *rddv1alpha1.HostInfoStatus) bool {
	compared := *observed
	if near(written.Disk, observed.Disk) {
		compared.Disk = written.Disk
	}
	return !apiequality.Semantic.DeepEqual(*written, compared)
}

// near reports whether two states of a disk are so close that the difference is not
// worth a write. The size counts too: some file systems (ZFS) report the pool's free
// space as a part of the size.
func near(written, observed rddv1alpha1.Disk) bool {
	if written.Path != observed.Path || !known(written) || !known(observed) {
		return false
	}
	if pressed(observed) != pressed(written) && (pressed(observed) || distance(written.Free, observed.Free) >= relief) {
		return false
	}
	step := step(written)
	return distance(written.Free, observed.Free) < step && distance(written.Total, observed.Total) < step
}

// pressed reports whether a disk is nearly full.
func pressed(d rddv1alpha1.Disk) bool {
	return diagnostics.Disk{Free: d.Free.Value(), Total: d.Total.Value()}.NearlyFull()
}

// step returns the minimum change of the free space to write: 1 GiB or 5 % of the size,
// whichever is larger. If that would hide that a big disk fills up, it is a quarter of
// the written free space, but at least 1 GiB.
func step(written rddv1alpha1.Disk) int64 {
	return max(gibibyte, min(written.Total.Value()/20, written.Free.Value()/4))
}

func known(d rddv1alpha1.Disk) bool { return d.Free != nil && d.Total != nil }

func distance(a, b *resource.Quantity) int64 {
	return max(a.Value()-b.Value(), b.Value()-a.Value())
}
