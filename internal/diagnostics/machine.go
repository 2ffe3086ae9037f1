// SPDX-License-Identifier: Apache-2.0

package diagnostics

import "fmt"

// DiskReadOnly means: the file system of the instance is read-only.
var DiskReadOnly = &Diagnostic{
	Code: "disk-read-only", Severity: Error, Title: "The disk is read-only",
	Text: "the file system of {path} is read-only: objects can't be changed, and a daemon can't start",
	Remedy: "see why: `findmnt -T {path}` shows the mount, and the kernel log (`dmesg`) shows disk errors, after which Linux often remounts a file system " +
		"read-only; mount it writable again, then `{rdd} service stop` and `{rdd} service start`",
	Reporter: StatusCommand,
	Rule: func(o *Observed) []evidence {
		if o.Disk == nil || !o.Disk.ReadOnly {
			return nil
		}
		return []evidence{{subject: theHost(), args: arguments{"path", o.Disk.Path}}}
	},
}

// DiskNearlyFull means: little room is left for the instance.
var DiskNearlyFull = &Diagnostic{
	Code: "disk-nearly-full", Severity: Warning, Title: "The disk is nearly full",
	Text:      "{free} of {total} are free on the file system of {path}: when it is full, objects can't be changed",
	Remedy:    "free space: {how}",
	DependsOn: []*Diagnostic{DiskReadOnly},
	Reporter:  HostInfoEvents,
	Rule: func(o *Observed) []evidence {
		if o.Disk == nil || !o.Disk.NearlyFull() {
			return nil
		}
		return []evidence{{subject: theHost(),
			args: arguments{"how", o.howToMakeRoom(), "free", Size(o.Disk.Free), "total", Size(o.Disk.Total), "path", o.Disk.Path}}}
	},
}

// StoreLarge means: the store is larger than is normal.
var StoreLarge = &Diagnostic{
	Code: "store-large", Severity: Warning, Title: "The store is large",
	Text: "{path} has {size}, with its log: RDD removes old versions of objects every five minutes, and returns their space to the disk in steps",
	Remedy: "`{rdd} service stop` and `{rdd} service start` empty the log; `{rdd} service reset` creates an empty store with the same settings: containers, images and volumes stay in the engine and " +
		"are mirrored again, the App's settings and your own objects are lost",
	Reporter: HostInfoEvents,
	Rule: func(o *Observed) []evidence {
		if o.Store == nil || o.Store.Size < storeLimit {
			return nil
		}
		return []evidence{{subject: theHost(), args: arguments{"path", o.Store.Path, "size", Size(o.Store.Size)}}}
	},
}

// Size formats a number of bytes in MiB or GiB.
func Size(bytes int64) string {
	value, unit := float64(bytes)/mebibyte, "MiB"
	if value >= 1024 {
		value, unit = value/1024, "GiB"
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}
