// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

func diskOf(path, free, total string) rddv1alpha1.Disk {
	quantity := func(s string) *resource.Quantity {
		if s == "" {
			return nil
		}
		q := resource.MustParse(s)
		return &q
	}
	return rddv1alpha1.Disk{Path: path, Free: quantity(free), Total: quantity(total)}
}

// TestDiskIsWrittenWhenItMovesFar, but not at each change.
func TestDiskIsWrittenWhenItMovesFar(t *testing.T) {
	for name, c := range map[string]struct {
		written, observed rddv1alpha1.Disk
		want              bool
	}{
		"the same":                       {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "10Gi", "15Gi"), false},
		"small disk, below 1 GiB":        {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "9217Mi", "15Gi"), false},
		"small disk, 1 GiB less":         {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "9Gi", "15Gi"), true},
		"small disk, 1 GiB more":         {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "11Gi", "15Gi"), true},
		"big disk, below 5 %":            {diskOf("/h", "900Gi", "1000Gi"), diskOf("/h", "851Gi", "1000Gi"), false},
		"big disk, 5 % less":             {diskOf("/h", "900Gi", "1000Gi"), diskOf("/h", "850Gi", "1000Gi"), true},
		"big disk, nearly full":          {diskOf("/h", "40Gi", "1000Gi"), diskOf("/h", "31Gi", "1000Gi"), false},
		"big disk, a quarter is used up": {diskOf("/h", "40Gi", "1000Gi"), diskOf("/h", "30Gi", "1000Gi"), true},
		"full disk, below 1 GiB":         {diskOf("/h", "1Gi", "1000Gi"), diskOf("/h", "1Mi", "1000Gi"), false},
		"full disk, freed":               {diskOf("/h", "0", "1000Gi"), diskOf("/h", "1Gi", "1000Gi"), true},
		"it becomes nearly full":         {diskOf("/h", "1100Mi", "15Gi"), diskOf("/h", "1Gi", "15Gi"), false},
		"it becomes nearly full, 1 MiB":  {diskOf("/h", "1100Mi", "15Gi"), diskOf("/h", "1023Mi", "15Gi"), true},
		"nearly full, a little freed":    {diskOf("/h", "1023Mi", "15Gi"), diskOf("/h", "1086Mi", "15Gi"), false},
		"nearly full, 64 MiB freed":      {diskOf("/h", "1023Mi", "15Gi"), diskOf("/h", "1087Mi", "15Gi"), true},
		"the size, a little":             {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "10Gi", "15361Mi"), false},
		"the size, much":                 {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "10Gi", "30Gi"), true},
		"another disk":                   {diskOf("/h", "10Gi", "15Gi"), diskOf("/i", "10Gi", "15Gi"), true},
		"unknown before":                 {diskOf("/h", "", ""), diskOf("/h", "10Gi", "15Gi"), true},
		"unknown now":                    {diskOf("/h", "10Gi", "15Gi"), diskOf("/h", "", ""), true},
		"unknown, still":                 {diskOf("/h", "", ""), diskOf("/h", "", ""), false},
	} {
		written, observed := &rddv1alpha1.HostInfoStatus{Disk: c.written}, &rddv1alpha1.HostInfoStatus{Disk: c.observed}
		if got := changed(written, observed); got != c.want {
			t.Errorf("%s: written %v, want %v", name, got, c.want)
		}
	}
}

// TestAllElseIsWrittenExactly, whatever the disk's changes.
func TestAllElseIsWrittenExactly(t *testing.T) {
	full := func() *rddv1alpha1.HostInfoStatus {
		memory := resource.MustParse("8Gi")
		return &rddv1alpha1.HostInfoStatus{
			CPUs: 4, Memory: &memory, OperatingSystem: "linux", Architecture: "amd64",
			Virtualization: rddv1alpha1.Virtualization{Available: true, Type: rddv1alpha1.VirtualizationKVM},
			Engines:        []rddv1alpha1.Engine{{Type: rddv1alpha1.EngineMoby, Endpoint: "unix:///a", Accessible: true}},
			Limactl:        rddv1alpha1.Limactl{Path: "/bin/limactl", Version: "2.2.0"},
			Disk:           diskOf("/h", "10Gi", "15Gi"),
		}
	}
	for name, change := range map[string]func(*rddv1alpha1.HostInfoStatus){
		"cpus":           func(s *rddv1alpha1.HostInfoStatus) { s.CPUs++ },
		"memory":         func(s *rddv1alpha1.HostInfoStatus) { s.Memory.Add(resource.MustParse("1")) },
		"architecture":   func(s *rddv1alpha1.HostInfoStatus) { s.Architecture = "arm64" },
		"virtualization": func(s *rddv1alpha1.HostInfoStatus) { s.Virtualization.Available = false },
		"an engine":      func(s *rddv1alpha1.HostInfoStatus) { s.Engines[0].Accessible = false },
		"no engine":      func(s *rddv1alpha1.HostInfoStatus) { s.Engines = nil },
		"limactl":        func(s *rddv1alpha1.HostInfoStatus) { s.Limactl.Version = "2.3.0" },
	} {
		observed := full()
		observed.Disk = diskOf("/h", "9999Mi", "15Gi")
		if changed(full(), observed) {
			t.Fatal("a little less space is written")
		}
		if change(observed); !changed(full(), observed) {
			t.Errorf("a change of %s is not written", name)
		}
	}
}

// TestDisk reads the real disk.
func TestDisk(t *testing.T) {
	home := t.TempDir()
	disk := Places{Home: home}.disk()
	if disk.Path != home || !known(disk) || disk.Free.Sign() <= 0 || disk.Total.Cmp(*disk.Free) < 0 || disk.Free.Value()%mebibyte != 0 {
		t.Errorf("the disk of %s: %+v", home, disk)
	}
	gone := Places{Home: home + "/gone"}.disk()
	if known(gone) || gone.Path == "" {
		t.Errorf("the disk of a home that is not there: %+v", gone)
	}
	if data := (Places{Home: "/gone", Data: home}).disk(); data.Path != home || !known(data) {
		t.Errorf("the disk of the data: %+v", data)
	}
	if (Places{}).disk() != (rddv1alpha1.Disk{}) {
		t.Error("a disk without a home")
	}
}
