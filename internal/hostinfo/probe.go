// SPDX-License-Identifier: Apache-2.0

// Package hostinfo is the controller of the HostInfo: it tells what the machine
// has that RDD runs on, and keeps that true.
package hostinfo

import (
	"context"
	"os"
	"runtime"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/clock"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// Probe looks at the machine. It is for one goroutine.
type Probe struct {
	places  Places
	limactl *limactl.Probe
}

// NewProbe returns a probe that looks at the places.
func NewProbe(places Places, clock clock.PassiveClock) *Probe {
	return &Probe{places: places, limactl: limactl.NewProbe(clock)}
}

// Size returns what the machine has: processors, and bytes of main memory, 0 where
// that can't be told.
func Size() (processors int, bytes int64) {
	bytes, err := memory()
	if err != nil {
		bytes = 0
	}
	return runtime.NumCPU(), bytes
}

// Systemd reports whether systemd runs the services of this machine (sd_booted(3)).
func Systemd() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// Look returns how the machine is. It is cheap: no socket is connected to, as
// that could start an engine, and no program is run unless limactl is another
// one than at the last look. What can't be told is left out. It may take
// seconds where limactl is slow, and ends early with ctx; what it returns is of
// no use then.
func (p *Probe) Look(ctx context.Context) rddv1alpha1.HostInfoStatus {
	status := rddv1alpha1.HostInfoStatus{
		CPUs:            int32(runtime.NumCPU()), //nolint:gosec // Go knows of some thousands at most
		OperatingSystem: runtime.GOOS,
		Architecture:    architecture(),
		Virtualization:  p.places.virtualization(),
		Engines:         p.places.engines(),
		Limactl:         rddv1alpha1.Limactl(p.limactl.Look(ctx, p.places.Limactl)),
		Disk:            p.places.disk(),
	}
	if total, err := memory(); err == nil {
		status.Memory = resource.NewQuantity(total, resource.BinarySI)
	}
	return status
}

// candidate is where an engine may be.
type candidate struct {
	kind rddv1alpha1.EngineType
	url  string
	// name is the path of the socket, or the name of the pipe.
	name string
}
