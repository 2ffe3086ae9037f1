// SPDX-License-Identifier: Apache-2.0

// Package lima is the controller of LimaVMs: it makes, starts, watches, changes
// and removes virtual machines through limactl. They outlive it: what runs when
// it starts is adopted as it is.
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

// Config says where virtual machines are, and how long things may take. All
// fields must be set.
type Config struct {
	// Limactl is where limactl may be.
	Limactl limactl.Places
	// Home is LIMA_HOME, and LogDir where logs are kept.
	Home, LogDir string
	Clock        clock.Clock

	// Boot is how long a virtual machine may take to boot.
	Boot time.Duration
	// Stop is how long it may take to stop gracefully, and Delete when it is being
	// deleted. It is ended by force then.
	Stop, Delete time.Duration
	// FirstPause and LongestPause are between a failure and the next attempt; each
	// is twice the one before.
	FirstPause, LongestPause time.Duration
	// Stable is how long a virtual machine runs before its failures are forgotten.
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
