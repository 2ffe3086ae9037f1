// SPDX-License-Identifier: Apache-2.0

// Package lima is the controller of LimaVMs: it creates, starts, watches, changes and
// deletes virtual machines through limactl. They keep running when it stops, and it
// adopts running ones when it starts.
package lima

import (
	"time"

	"k8s.io/utils/clock"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Config has the directories and time limits of virtual machines. All fields are
// required.
type Config struct {
	// Limactl is where to search for limactl.
	Limactl limactl.Places
	// Home is LIMA_HOME, and LogDir the directory of kept logs.
	Home, LogDir string
	Clock        clock.Clock

	// Boot bounds the boot of a virtual machine.
	Boot time.Duration
	// Stop bounds a graceful stop, and Delete the one before a deletion. Then the stop
	// is forced.
	Stop, Delete time.Duration
	// FirstPause and LongestPause bound the delay between attempts, which doubles with
	// each failure.
	FirstPause, LongestPause time.Duration
	// Stable is how long a virtual machine must be running for its failures to be
	// forgotten.
	Stable time.Duration
}

// Defaults returns the configuration for an instance of RDD.
func Defaults(inst *instance.Instance) Config {
	return Config{
		Limactl:      limactl.ThisMachine(),
		Home:         inst.LimaHome(),
		LogDir:       inst.LogDir(),
		Clock:        clock.RealClock{},
		Boot:         10 * time.Minute, // an emulated guest takes 4 minutes
		Stop:         90 * time.Second,
		Delete:       30 * time.Second,
		FirstPause:   time.Second,
		LongestPause: 5 * time.Minute,
		Stable:       10 * time.Minute,
	}
}

// Controllers returns the controllers of the API group.
func Controllers() []manager.Controller {
	controller := describe()
	controller.Bind = func(inst *instance.Instance) manager.Controller { return Controller(Defaults(inst)) }
	return []manager.Controller{controller}
}

// Controller returns the controller of LimaVMs with a configuration.
func Controller(cfg Config) manager.Controller {
	controller, probe := describe(), limactl.NewProbe(cfg.Clock)
	controller.Hooks = []admission.Hook{hook(cfg, probe)}
	controller.Setup = func(host manager.Host) error { return setup(host, cfg, probe) }
	return controller
}

func describe() manager.Controller {
	return manager.Controller{
		Name:        "limavm",
		Group:       "lima",
		Definitions: []manifest.Source{{Files: limav1alpha1.Files, Path: "crds/lima.rancherdesktop.io_limavms.yaml"}},
		Claims: []manager.Claim{{
			Resource:   limav1alpha1.GroupVersion.WithResource("limavms"),
			Conditions: []string{limav1alpha1.ConditionCreated, limav1alpha1.ConditionRunning, limav1alpha1.ConditionStalled},
		}},
		AddToScheme: limav1alpha1.AddToScheme,
	}
}
