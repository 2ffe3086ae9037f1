// SPDX-License-Identifier: Apache-2.0

// Package instances reads what all instances of this user are. It starts nothing.
package instances

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// limit is how long a daemon may take to name its engines.
const limit = 2 * time.Second

// Instance is one row of `rdd list`.
type Instance struct {
	Name string `json:"name"`
	// State is stopped, starting, running or stopping.
	State string `json:"state"`
	// Running is whether the daemon is ready.
	Running bool `json:"running"`
	// Engines are those of the daemon; empty if it does not run.
	Engines []Engine `json:"engines"`
	// Memory is that of the daemon, in bytes; 0 if it is unknown.
	Memory int64 `json:"memory"`
	// Disk is what the instance's files take, in bytes, with its virtual machines.
	Disk    int64  `json:"disk"`
	Address string `json:"address,omitempty"`
	Version string `json:"version,omitempty"`
	// Error says why the rest is unknown.
	Error string `json:"error,omitempty"`
}

// Engine is an engine of an instance.
type Engine struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Endpoint string `json:"endpoint"`
	Version  string `json:"version,omitempty"`
}

// Read returns all instances, by name. Only a list that can't be read is an error.
func Read(ctx context.Context) ([]Instance, error) {
	names, err := instance.Names()
	if err != nil {
		return nil, err
	}
	list := make([]Instance, len(names))
	var reading sync.WaitGroup
	for i, name := range names {
		reading.Go(func() { list[i] = read(ctx, name) })
	}
	reading.Wait()
	return list, nil
}

func read(ctx context.Context, name string) Instance {
	one := Instance{Name: name, State: "unknown", Engines: []Engine{}}
	inst, err := instance.New(name)
	if err == nil {
		err = inst.Check()
	}
	var status *service.Status
	if err == nil {
		status, err = service.ReadStatus(inst)
	}
	if err != nil {
		one.Error = err.Error()
		return one
	}
	one.State, one.Running = state(status), status.Ready && !status.Stopping
	one.Memory, one.Version = status.Memory, status.Version
	if status.Address != "" {
		one.Address = "https://" + status.Address
	}
	one.Disk = used(inst)
	if one.Running {
		one.Engines = engines(ctx, inst)
	}
	return one
}

func state(status *service.Status) string {
	switch {
	case !status.Started:
		return "stopped"
	case status.Stopping:
		return "stopping"
	case status.Ready:
		return "running"
	}
	return "starting"
}

// engines asks the daemon. One that does not answer has none to show.
func engines(ctx context.Context, inst *instance.Instance) []Engine {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := []Engine{}
	api, err := client.New(inst.ConfigFile())
	if err != nil {
		return found
	}
	var list containersv1alpha1.ContainerEngineList
	if err := api.List(ctx, &list); err != nil {
		return found
	}
	for i := range list.Items {
		e := &list.Items[i]
		found = append(found, Engine{e.Name, string(e.Spec.Type), e.Spec.Endpoint, e.Status.Version})
	}
	return found
}

// used returns what an instance's files take on the disk. What can't be read, or goes
// during the walk, counts for nothing.
func used(inst *instance.Instance) (bytes int64) {
	for _, dir := range []string{inst.Dir(), inst.ShortDir()} {
		_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil //nolint:nilerr // see above
			}
			if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
				bytes += inventory.Allocated(info)
			}
			return nil
		})
	}
	return bytes
}

// Print writes a table for people.
func Print(w io.Writer, list []Instance) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tSTATE\tENGINE\tMEMORY\tDISK\tADDRESS")
	for _, one := range list {
		engine := "-"
		for i, e := range one.Engines {
			if i == 0 {
				engine = ""
			} else {
				engine += ", "
			}
			engine += e.Type
			if e.Version != "" {
				engine += " " + e.Version
			}
		}
		memory, address := "-", "-"
		if one.Memory > 0 {
			memory = diagnostics.Size(one.Memory)
		}
		if one.Address != "" {
			address = one.Address
		}
		if one.Error != "" {
			address = one.Error
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", one.Name, one.State, printable.Text(engine, 0), memory,
			diagnostics.Size(one.Disk), printable.Text(address, 0))
	}
	return table.Flush()
}
