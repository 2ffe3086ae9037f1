// SPDX-License-Identifier: Apache-2.0

// Package status reports the status of an instance: its daemon, the desired state of the
// App and its progress, the engines, the resources of the machine, and all problems. It
// starts nothing. If the daemon does not run, is starting, hangs, or has another version,
// it reports as much as it can.
package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/finder"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/hostinfo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// Status is the output of `rdd status -o json`. Unknown parts are omitted.
type Status struct {
	Service  *service.Status `json:"service"`
	App      *App            `json:"app,omitempty"`
	VM       *VM             `json:"vm,omitempty"`
	Engines  []Engine        `json:"engines,omitempty"`
	Contexts *Contexts       `json:"contexts,omitempty"`
	Disk     *Disk           `json:"disk,omitempty"`
	Store    *Store          `json:"store,omitempty"`
	// Diagnostics are the problems, worst first; never null.
	Diagnostics []diagnostics.Finding `json:"diagnostics"`

	answered bool // by the daemon
}

// App is the desired state of the App, and its progress.
type App struct {
	Running    bool               `json:"running"`
	Endpoint   string             `json:"endpoint,omitempty"`
	Conditions []metav1.Condition `json:"conditions"`
}

// VM is the virtual machine of the App.
type VM struct {
	// Wanted is false if the App uses an engine outside a virtual machine.
	Wanted bool `json:"wanted"`
	// Running is the App's condition of that type.
	Running *metav1.Condition `json:"running,omitempty"`
}

// Engine is one ContainerEngine.
type Engine struct {
	Namespace string                                   `json:"namespace"`
	Name      string                                   `json:"name"`
	Spec      containersv1alpha1.ContainerEngineSpec   `json:"spec"`
	Status    containersv1alpha1.ContainerEngineStatus `json:"status"`
}

// Disk is the file system with the instance's data.
type Disk struct {
	Path string `json:"path"`
	// Free is the space that the user can still write, and Total the size, in bytes.
	Free  int64 `json:"free"`
	Total int64 `json:"total"`
	// ReadOnly is whether the file system is mounted read-only.
	ReadOnly bool `json:"readOnly,omitempty"`
}

// Store is the file with the API server's objects.
type Store struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
}

// Reader reads the status of an instance. It is for one goroutine.
type Reader struct {
	Instance *instance.Instance
	// Command is the command line of rdd for this instance.
	Command string
	// Limit bounds the requests to the daemon.
	Limit  time.Duration
	Clock  clock.WithTicker
	Getenv func(string) string

	// The client for the daemon with this process ID and address.
	client  ctrlclient.WithWatch
	pid     int
	address string
}

// Read returns the status of the instance. A daemon that does not answer is not an error
// but a finding.
func (r *Reader) Read(ctx context.Context) (*Status, error) {
	serviceStatus, err := service.ReadStatus(r.Instance)
	if err != nil {
		return nil, err
	}
	s := &Status{Service: serviceStatus}
	observed := diagnostics.Observed{Now: r.Clock.Now(), Command: r.Command}
	if serviceStatus.Ready && !serviceStatus.Stopping {
		daemon := &diagnostics.Daemon{Instance: serviceStatus.Instance, PID: serviceStatus.PID,
			Version: serviceStatus.Version, Program: version.RDD()}
		observed.Daemon = daemon
		if daemon.Failure = r.observe(ctx, serviceStatus, &observed); ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if daemon.Failure != nil && r.hasEnded(serviceStatus) {
			return r.Read(ctx)
		}
		s.answered = daemon.Failure == nil
		s.take(&observed)
	}
	if f := serviceStatus.Failure; f != nil {
		observed.Daemon = &diagnostics.Daemon{Instance: serviceStatus.Instance, Ended: f.Message}
	}
	observed.System = diagnostics.System{OS: runtime.GOOS, Systemd: hostinfo.Systemd()}
	if !serviceStatus.Created || !serviceStatus.Started || s.answered && s.App == nil {
		r.lookForEngine(&observed)
	}
	if serviceStatus.Created && !serviceStatus.Started && observed.Denied != "" && !r.hasNoApp(ctx) {
		observed.Denied = ""
	}
	if serviceStatus.Created {
		s.observeFiles(r.Instance, &observed)
	}
	s.Contexts = r.contexts(&observed)
	s.Diagnostics = append([]diagnostics.Finding{}, diagnostics.Known().Diagnose(observed)...)
	return s, nil
}

// observe reads the objects from the daemon, one request after the other: concurrent
// requests would open several connections.
func (r *Reader) observe(ctx context.Context, daemon *service.Status, observed *diagnostics.Observed) error {
	if err := r.connect(daemon); err != nil {
		return err
	}
	late := fmt.Errorf("no answer within %s", r.Limit)
	ctx, cancel := context.WithTimeoutCause(ctx, r.Limit, late)
	defer cancel()
	app, engines := &appv1alpha1.App{}, &containersv1alpha1.ContainerEngineList{}
	// The user chooses the controllers, so any of the kinds may be missing.
	err := r.client.Get(ctx, ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, app)
	if err == nil {
		observed.App = app
	}
	if err = ctrlclient.IgnoreNotFound(err); err == nil {
		err = ctrlclient.IgnoreNotFound(r.client.List(ctx, engines))
		observed.Engines = engines.Items
	}
	if err == nil {
		err = r.observeDaemon(ctx, observed)
	}
	if err == nil && diagnostics.WantsVM(observed.App) {
		host := &rddv1alpha1.HostInfo{}
		if err = r.client.Get(ctx, ctrlclient.ObjectKey{Name: rddv1alpha1.HostInfoName}, host); err == nil {
			observed.Host = &host.Status
		}
		err = ctrlclient.IgnoreNotFound(err)
	}
	if err == nil && len(observed.Engines) > 0 {
		observed.Deletions, err = r.deletions(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return late // the connection's own timeout is as long, and may expire first
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return fmt.Errorf("%s", status.Status().Message)
	}
	return err
}

// hasEnded reports whether a daemon that failed to answer is stopping or has stopped.
func (r *Reader) hasEnded(before *service.Status) bool {
	now, err := service.ReadStatus(r.Instance)
	return err == nil && (now.Stopping || now.PID != before.PID)
}

// connect creates a client, unless there is one for the daemon.
func (r *Reader) connect(daemon *service.Status) (err error) {
	if r.client != nil && r.pid == daemon.PID && r.address == daemon.Address {
		return nil
	}
	if r.client, err = client.New(r.Instance.ConfigFile()); err != nil {
		r.client = nil
		return err
	}
	r.pid, r.address = daemon.PID, daemon.Address
	return nil
}

// take copies the objects from the daemon into the status.
func (s *Status) take(o *diagnostics.Observed) {
	if app := o.App; app != nil {
		s.App = &App{Running: app.Spec.Running, Endpoint: app.Spec.ContainerEngine.Endpoint, Conditions: app.Status.Conditions}
		s.VM = &VM{Wanted: s.App.Endpoint == "", Running: apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionRunning)}
	}
	o.Groups = map[string]string{}
	for i := range o.Engines {
		e := &o.Engines[i]
		s.Engines = append(s.Engines, Engine{e.Namespace, e.Name, e.Spec, e.Status})
		if path := endpoint.SocketPath(e.Spec.Endpoint); path != "" && !apimeta.IsStatusConditionTrue(e.Status.Conditions, containersv1alpha1.ConditionReady) {
			o.Groups[e.Spec.Endpoint] = access.Group(path)
		}
	}
}

// lookForEngine checks whether the user lacks permission for the engine that `rdd start`
// would choose. A virtual machine, if limactl is installed, would be chosen first.
func (r *Reader) lookForEngine(o *diagnostics.Observed) {
	if _, err := limactl.ThisMachine().Find(); err == nil {
		return
	}
	contexts, err := dockercontext.Open(r.Getenv)
	if err != nil {
		return
	}
	o.Denied = finder.Denied(finder.For(r.Instance, contexts, hostinfo.DockerEndpoints(), r.Getenv))
	if path := endpoint.SocketPath(o.Denied); path != "" {
		if o.Groups == nil {
			o.Groups = map[string]string{}
		}
		o.Groups[o.Denied] = access.Group(path)
	}
}

// hasNoApp reports whether an instance whose daemon does not run certainly has no App.
func (r *Reader) hasNoApp(ctx context.Context) bool {
	found, err := inventory.Read(ctx, r.Instance)
	return err == nil && found.Unknown == nil && found.App == nil
}

// observeFiles reads the disk space, and the size of the store.
func (s *Status) observeFiles(inst *instance.Instance, o *diagnostics.Observed) {
	if free, total, err := hostinfo.Space(inst.Dir()); err == nil {
		s.Disk = &Disk{Path: inst.Dir(), Free: free, Total: total, ReadOnly: hostinfo.ReadOnly(inst.Dir())}
		o.Disk = &diagnostics.Disk{Path: s.Disk.Path, Free: free, Total: total, ReadOnly: s.Disk.ReadOnly}
	}
	if size, ok := hostinfo.StoreSize(inst.StoreFile()); ok {
		s.Store = &Store{Path: inst.StoreFile(), Size: size}
		o.Store = &diagnostics.Store{Path: s.Store.Path, Size: size}
	}
}

// Steady returns the status without the figures that change all the time, for
// comparisons.
func (s *Status) Steady() *Status {
	steady, daemon := *s, *s.Service
	daemon.Uptime, daemon.Memory = 0, 0
	steady.Service = &daemon
	if s.Disk != nil {
		steady.Disk = &Disk{Path: s.Disk.Path, Total: s.Disk.Total, ReadOnly: s.Disk.ReadOnly}
	}
	steady.Store = nil
	steady.Engines = slices.Clone(s.Engines)
	for i := range steady.Engines {
		steady.Engines[i].Status.LastSync = nil
	}
	steady.Diagnostics = slices.Clone(s.Diagnostics)
	for i, f := range s.Diagnostics {
		steady.Diagnostics[i] = f.Steady()
	}
	return &steady
}
