// SPDX-License-Identifier: Apache-2.0

// Package inventory finds the data of an instance that a command may delete: the disks of
// its virtual machines, and the objects that a user created. It reads them from the daemon
// if it answers, else from the disk, and starts nothing. It reports what it can't read.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/store"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// answerLimit bounds all requests to the daemon together.
const answerLimit = 10 * time.Second

// Inventory is the data of an instance.
type Inventory struct {
	// Unknown is why the objects are unknown; nil if they are known.
	Unknown error
	// App is the App; nil if there is none.
	App *appv1alpha1.App
	// Engines are the ContainerEngines, VMs the LimaVMs.
	Engines []containersv1alpha1.ContainerEngine
	VMs     []limav1alpha1.LimaVM
	// Others are the other objects that a user created.
	Others []Object
	// Disks are the disks of the virtual machines, sorted by name.
	Disks []Disk
}

// Read returns the inventory of an instance; it is empty if the instance does not exist.
func Read(ctx context.Context, inst *instance.Instance) (*Inventory, error) {
	exists, err := inst.Exists()
	if err != nil || !exists {
		return &Inventory{}, err
	}
	found := &Inventory{Disks: disks(inst.LimaHome())}
	daemon, err := inst.Daemon()
	if err == nil && daemon != nil && daemon.Ready && !daemon.Stopping {
		limited, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		served := &Inventory{Disks: found.Disks}
		if err = served.readDaemon(limited, inst); err == nil {
			return served, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if unread := found.readStore(ctx, inst); unread != nil {
		found.Unknown = errors.Join(err, unread)
	}
	return found, ctx.Err()
}

// readStore reads the objects from the store's file.
func (i *Inventory) readStore(ctx context.Context, inst *instance.Instance) error {
	settings, err := inst.LoadSettings()
	if err != nil {
		return err
	}
	place := store.Place{Instance: inst, Endpoint: datastore.InForce(settings.Datastore), Log: slog.New(slog.DiscardHandler)}
	var failed []error
	err = place.Read(ctx, wanted, func(key string, value []byte) {
		if err := i.takeStored(key, value); err != nil {
			failed = append(failed, fmt.Errorf("read %s: %w", key, err))
		}
	})
	return errors.Join(append(failed, err)...)
}

// hasAppsMachine reports whether the App has a virtual machine.
func (i *Inventory) hasAppsMachine() bool {
	return i.Disk(appv1alpha1.VMName) != nil || slices.ContainsFunc(i.VMs, func(vm limav1alpha1.LimaVM) bool { return client.IsAppsVM(&vm) })
}

// Disk returns the disk of a virtual machine; nil for none.
func (i *Inventory) Disk(name string) *Disk {
	at := slices.IndexFunc(i.Disks, func(d Disk) bool { return d.Name == name })
	if at < 0 {
		return nil
	}
	return &i.Disks[at]
}
