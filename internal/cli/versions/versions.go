// SPDX-License-Identifier: Apache-2.0

// Package versions reads the versions of everything that an instance consists of. It
// starts nothing.
package versions

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// limit is how long the daemon and limactl may take to answer.
const limit = 2 * time.Second

// Versions is what `rdd version -o json` prints. What is unknown is left out.
type Versions struct {
	Client  Client   `json:"client"`
	Daemon  *Daemon  `json:"daemon,omitempty"`
	Engines []Engine `json:"engines,omitempty"`
	Limactl *Limactl `json:"limactl,omitempty"`
}

// Client is this program.
type Client struct {
	Version    string `json:"version"`
	Kubernetes string `json:"kubernetes"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
}

// Daemon is the daemon that runs.
type Daemon struct {
	Instance string `json:"instance"`
	Version  string `json:"version"`
	PID      int    `json:"pid"`
	// Kubernetes is the version that the API server reports.
	Kubernetes string `json:"kubernetes,omitempty"`
}

// Engine is an engine that is connected, or was.
type Engine struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Version   string `json:"version"`
}

// Limactl is the limactl that makes virtual machines.
type Limactl struct {
	Path    string `json:"path"`
	Version string `json:"version,omitempty"`
	// Message says why the version is unknown.
	Message string `json:"message,omitempty"`
}

// Read returns the versions. inst may be nil, for this program and limactl alone.
func Read(ctx context.Context, inst *instance.Instance) *Versions {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v := &Versions{Client: Client{
		Version: version.RDD(), Kubernetes: version.Kubernetes(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}}
	var asking sync.WaitGroup
	asking.Go(func() { v.Limactl = findLimactl(ctx) })
	if inst != nil {
		v.readDaemon(ctx, inst)
	}
	asking.Wait()
	return v
}

func findLimactl(ctx context.Context) *Limactl {
	found := limactl.NewProbe(clock.RealClock{}).Look(ctx, limactl.ThisMachine())
	if found.Path == "" {
		return nil
	}
	return &Limactl{Path: found.Path, Version: found.Version, Message: found.Message}
}

// readDaemon asks the daemon, if one runs, for its engines.
func (v *Versions) readDaemon(ctx context.Context, inst *instance.Instance) {
	daemon, err := inst.Daemon()
	if err != nil || daemon == nil || daemon.PID == 0 {
		return
	}
	v.Daemon = &Daemon{Instance: inst.Name(), Version: daemon.Version, PID: daemon.PID}
	if daemon.Version == version.RDD() {
		v.Daemon.Kubernetes = version.Full()
	}
	if !daemon.Ready || daemon.Stopping {
		return
	}
	api, err := client.New(inst.ConfigFile())
	if err != nil {
		return
	}
	var engines containersv1alpha1.ContainerEngineList
	if err := api.List(ctx, &engines, &ctrlclient.ListOptions{}); err != nil {
		return // a daemon that does not answer is `rdd status`'s to explain
	}
	for i := range engines.Items {
		e := &engines.Items[i]
		if e.Status.Version != "" {
			v.Engines = append(v.Engines, Engine{e.Namespace, e.Name, string(e.Spec.Type), e.Status.Version})
		}
	}
}

// Print writes the versions as people read them.
func (v *Versions) Print(w io.Writer) error {
	var text strings.Builder
	row := func(name, value string) { fmt.Fprintf(&text, "%-12s %s\n", name, printable.Text(value, 0)) }
	row("Client", fmt.Sprintf("rdd %s (%s, %s)", v.Client.Version, v.Client.Platform, v.Client.Go))
	row("Kubernetes", v.Client.Kubernetes)
	if v.Daemon == nil {
		row("Daemon", "not running")
	} else {
		row("Daemon", fmt.Sprintf("rdd %s (instance %s, process %d)", v.Daemon.Version, v.Daemon.Instance, v.Daemon.PID))
	}
	for _, e := range v.Engines {
		row("Engine", fmt.Sprintf("%s %s (%s/%s)", e.Type, e.Version, e.Namespace, e.Name))
	}
	switch {
	case v.Limactl == nil:
		row("limactl", "not found")
	case v.Limactl.Version == "":
		row("limactl", v.Limactl.Message)
	default:
		row("limactl", v.Limactl.Version+" ("+v.Limactl.Path+")")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
