// SPDX-License-Identifier: Apache-2.0

// Package hostinfo is the controller of the HostInfo, which reports the state of the
// machine that RDD runs on.
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

// Probe reads the machine's state. It is for one goroutine.
type Probe struct {
	places  Places
	limactl *limactl.Probe
}

// NewProbe returns a probe for the places.
func NewProbe(places Places, clock clock.PassiveClock) *Probe {
	return &Probe{places: places, limactl: limactl.NewProbe(clock)}
}

// Size returns the number of processors, and the bytes of main memory, 0 if unknown.
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

// Look returns the state of the machine, without what is unknown. It is cheap: it
// connects to no socket, which could start an engine, and runs no program unless
// limactl has changed. It may take seconds if limactl is slow. If ctx ends, it returns
// early with an invalid result.
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
