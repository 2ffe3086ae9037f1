// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"cmp"
	"slices"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/fvbommel/sortorder"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
)

// Volumes is the kind of volumes.
func Volumes() *Kind {
	return &Kind{
		Table:   listing.Volumes(),
		filters: []string{"dangling", "driver", engineFilter, "label", "name"},
		check: func(f Filters) error {
			_, _, err := f.dangling()
			return err
		},
		reads:  []listing.Table{listing.Volumes(), listing.Containers()},
		choose: chooseVolumes,
		blank: func(o *Options) row {
			return &volumeRow{common: common{HeaderContext: volumeHeaders(), obj: &containersv1alpha1.Volume{}, full: o.Full}, status: &containersv1alpha1.VolumeStatus{}}
		},
		format: func(source string, o *Options) formatter.Format { return formatter.NewVolumeFormat(source, o.Quiet) },
		wide:   "\t{{.Scope}}\t{{.Mountpoint}}\t{{.Labels}}",
		sorts: map[string]func(a, b row) int{
			"created": byVolume(func(a, b *volumeRow) int { return timeOf(a.status.CreatedAt).Compare(timeOf(b.status.CreatedAt)) }),
			"driver":  byVolume(func(a, b *volumeRow) int { return cmp.Compare(a.status.Driver, b.status.Driver) }),
			"engine":  func(a, b row) int { return cmp.Compare(listing.EngineOf(a.object()), listing.EngineOf(b.object())) },
			"name":    byVolume(func(a, b *volumeRow) int { return sortorder.NaturalCompare(a.status.Name, b.status.Name) }),
		},
	}
}

func byVolume(compare func(a, b *volumeRow) int) func(a, b row) int {
	return func(a, b row) int { return compare(a.(*volumeRow), b.(*volumeRow)) }
}

// chooseVolumes is [Kind.choose] of volumes, by name in natural order.
func chooseVolumes(w *world, o *Options) ([]row, error) {
	f := o.Filters
	dangling, given, err := f.dangling()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for i := range w.containers {
		for _, m := range w.containers[i].Status.Mounts {
			if m.Name != "" {
				used[listing.EngineOf(&w.containers[i])+"\x00"+m.Name] = true
			}
		}
	}
	var rows []row
	for i := range w.volumes {
		v := &w.volumes[i]
		if given && used[listing.EngineOf(v)+"\x00"+v.Status.Name] == dangling {
			continue
		}
		if f.engine(v) && f.exact("driver", v.Status.Driver) && f.match("name", v.Status.Name) && f.labels(v.Status.Labels) {
			rows = append(rows, &volumeRow{
				common: common{HeaderContext: volumeHeaders(), obj: v, full: o.Full, now: w.now, problem: w.problem}, status: &v.Status,
			})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return sortorder.NaturalCompare(a.(*volumeRow).status.Name, b.(*volumeRow).status.Name)
	})
	return rows, nil
}

// volumeRow is a volume. The exported methods are the fields of Docker's template.
type volumeRow struct {
	common
	status *containersv1alpha1.VolumeStatus
}

func volumeHeaders() formatter.HeaderContext {
	return headers(formatter.SubHeaderContext{
		"ID": "ID", "Name": "VOLUME NAME", "Group": "GROUP", "Driver": formatter.DriverHeader, "Scope": formatter.ScopeHeader,
		"Availability": "AVAILABILITY", "Mountpoint": "MOUNTPOINT", "Labels": formatter.LabelsHeader, "Links": "LINKS",
		"Size": formatter.SizeHeader, "Status": formatter.StatusHeader,
	})
}

// MarshalJSON has all fields.
func (r *volumeRow) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// Name of the volume.
func (r *volumeRow) Name() string { return text(r.status.Name) }

// Driver of the volume.
func (r *volumeRow) Driver() string { return text(r.status.Driver) }

// Scope of the volume.
func (r *volumeRow) Scope() string { return text(r.status.Scope) }

// Mountpoint of the volume on the engine's machine.
func (r *volumeRow) Mountpoint() string { return text(r.status.Mountpoint) }

// Labels of the volume.
func (r *volumeRow) Labels() string { return joined(r.status.Labels) }

// Label is the value of a label.
func (r *volumeRow) Label(name string) string { return text(r.status.Labels[name]) }

// Links is not known, as in Docker's list.
func (r *volumeRow) Links() string { return unknown }

// Size is not known, as in Docker's list.
func (r *volumeRow) Size() string { return unknown }

// Group is not known: only a swarm's volumes have one.
func (r *volumeRow) Group() string { return unknown }

// Availability is not known: only a swarm's volumes have one.
func (r *volumeRow) Availability() string { return unknown }

// Status is not known: only a swarm's volumes have one.
func (r *volumeRow) Status() string { return unknown }
