// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// Diagnose returns the findings, most severe first, without those that are
// consequences of others.
func (r Registry) Diagnose(o Observed) []Finding {
	if o.Command == "" {
		o.Command = "rdd"
	}
	d := &diagnosis{Observed: o, registry: r}
	d.daemon()
	d.absent()
	d.denied()
	for i := range o.Engines {
		d.engine(&o.Engines[i])
		d.incomplete(&o.Engines[i])
	}
	d.shared()
	d.deletions()
	d.virtualMachine()
	d.machineFails()
	d.settled()
	d.contextFails()
	d.contexts()
	d.disk()
	d.store()
	return r.arrange(d.found)
}

type diagnosis struct {
	Observed
	registry Registry
	found    []Finding
}

// add adds a finding with a state, see [Finding].
func (d *diagnosis) add(code Code, subject Subject, state string, args ...string) *Finding {
	f := d.registry.find(code, subject, append(args, "rdd", d.Command))
	f.state = state
	d.found = append(d.found, f)
	return &d.found[len(d.found)-1]
}

func (d *diagnosis) daemon() {
	p := d.Daemon
	if p == nil {
		return
	}
	subject := Subject{Kind: kindService, Name: p.Instance}
	if p.Failure != nil {
		f := d.add(DaemonNotAnswering, subject, "", "pid", strconv.Itoa(p.PID), "error", p.Failure.Error())
		var invalid x509.CertificateInvalidError
		if errors.As(p.Failure, &invalid) && invalid.Reason == x509.Expired {
			f.Remedy = "its certificate is not valid at the time of this machine's clock: check the clock (`date`); if it is right, " +
				"it was set after the daemon had started, and `" + d.Command + " service stop` and `" + d.Command +
				" service start` create new certificates: containers continue to run, and no data is lost"
		}
	}
	if p.Version != "" && p.Version != p.Program {
		d.add(DaemonOtherVersion, subject, p.Version, "daemon", p.Version, "program", p.Program)
	}
}

// absent adds the controllers that do not run. Problems of their objects are
// consequences.
func (d *diagnosis) absent() {
	service := Subject{Kind: kindService}
	if d.Daemon != nil {
		service.Name = d.Daemon.Instance
	}
	if d.Unwritable != "" {
		path := "the datastore"
		if d.Disk != nil {
			path = d.Disk.Path
		}
		d.add(StoreNotWritable, service, d.Unwritable, "error", d.Unwritable, "path", path)
	}
	for _, absence := range d.Absent {
		f := d.add(ControllerGone, Subject{Kind: kindController, Name: absence.Controller}, absence.Holder,
			"error", absence.Message(), "group", controllerGroups[absence.Controller])
		f.inCondition = true
		f.reaches = []Subject{theApp()}
		for i := range d.Engines {
			f.reaches = append(f.reaches, subjectOf(&d.Engines[i]))
		}
	}
}

// controllerGroups has the group of each controller in [Observed.Absent].
var controllerGroups = map[string]string{"app": "app", "engine": "containers", "limavm": "lima"}

func subjectOf(e *containersv1alpha1.ContainerEngine) Subject {
	return Subject{Kind: kindEngine, Namespace: e.Namespace, Name: e.Name}
}

func theApp() Subject { return Subject{Kind: kindApp, Name: appv1alpha1.AppName} }

func theHost() Subject { return Subject{Kind: kindHost, Name: rddv1alpha1.HostInfoName} }

// engine adds the problem in an engine's condition Ready.
func (d *diagnosis) engine(e *containersv1alpha1.ContainerEngine) {
	ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
	if ready == nil || !e.ShouldRun() {
		return
	}
	var codes []Code
	switch ready.Reason {
	case containersv1alpha1.ReasonConnectFailed, containersv1alpha1.ReasonDisconnected:
		codes = []Code{EngineNotAnswering}
		if isLocal(e.Spec.Endpoint) && strings.Contains(ready.Message, engine.Denied) {
			codes = append(codes, SocketNotPermitted)
		}
	case containersv1alpha1.ReasonEngineChanged:
		codes = []Code{EngineChanged}
	case containersv1alpha1.ReasonConflict:
		codes = []Code{EngineConflict}
	case containersv1alpha1.ReasonUnsupported:
		codes = []Code{EngineUnsupported}
	}
	at := d.placeOf(e)
	if at.inVM && !d.appRuns() && slices.Contains(codes, EngineNotAnswering) {
		return // the engine can't run without its virtual machine
	}
	for _, code := range codes {
		f := d.add(code, subjectOf(e), ready.Message, "error", ready.Message, "how", d.how(code, e, at), "namespace", e.Namespace, "name", e.Name)
		f.inCondition = true
		if d.App != nil && metav1.IsControlledBy(e, d.App) {
			f.reaches = []Subject{theApp()}
		}
	}
}

// appRuns reports whether the App's virtual machine runs.
func (d *diagnosis) appRuns() bool {
	return apimeta.IsStatusConditionTrue(d.App.Status.Conditions, appv1alpha1.ConditionRunning)
}

// unit returns the systemd unit of the App's engine in the guest.
func (d *diagnosis) unit() string {
	if d.App == nil {
		return ""
	}
	return traits.Of(d.App.Spec.ContainerEngine.Name).Service
}

// isLocal reports whether an engine listens at a socket or a pipe of this machine.
func isLocal(text string) bool {
	address, err := endpoint.Parse(text)
	return err == nil && address.Local()
}

// shared adds engines that several ContainerEngines are connected to, for each
// ContainerEngine but the oldest. In one namespace their mirrors have the same names.
func (d *diagnosis) shared() {
	first := map[string][]*containersv1alpha1.ContainerEngine{} // by ID, which several engines may have
	for _, e := range byAge(d.Engines) {
		if !mirrors(e) {
			continue
		}
		id := e.Status.EngineID
		i := slices.IndexFunc(first[id], func(other *containersv1alpha1.ContainerEngine) bool { return sameEngine(other, e) })
		if i < 0 {
			first[id] = append(first[id], e)
			continue
		}
		other := first[id][i]
		args := []string{"other", subjectOf(other).String(), "id", id, "namespace", e.Namespace, "name", e.Name}
		if e.Namespace != other.Namespace {
			d.add(EngineShared, subjectOf(e), other.Namespace+"/"+other.Name, args...)
			continue
		}
		message := fmt.Sprintf("%s is the same engine (%s), at %s and at %s: their mirrors would have the same names, so only one of them can have mirrors",
			subjectOf(other), id, other.Spec.Endpoint, e.Spec.Endpoint)
		d.add(EngineConflict, subjectOf(e), other.Name, append(args, "error", message)...)
	}
}

// sameEngine reports whether two ContainerEngines with one engine ID are connected
// to one engine. A copied disk has the same ID in its file; then the host name or
// the directory differs. Empty values never differ.
func sameEngine(a, b *containersv1alpha1.ContainerEngine) bool {
	same := func(x, y string) bool { return x == "" || y == "" || x == y }
	return same(a.Status.HostName, b.Status.HostName) && same(a.Status.RootDir, b.Status.RootDir)
}

// mirrors reports whether the engine in the status has mirrors.
func mirrors(e *containersv1alpha1.ContainerEngine) bool {
	ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
	return e.ShouldRun() && e.Status.EngineID != "" && ready != nil &&
		ready.Reason != containersv1alpha1.ReasonConflict && ready.Reason != containersv1alpha1.ReasonEngineChanged
}

func byAge(engines []containersv1alpha1.ContainerEngine) []*containersv1alpha1.ContainerEngine {
	all := make([]*containersv1alpha1.ContainerEngine, len(engines))
	for i := range engines {
		all[i] = &engines[i]
	}
	slices.SortFunc(all, func(a, b *containersv1alpha1.ContainerEngine) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(key(a).String(), key(b).String())
	})
	return all
}

func key(e *containersv1alpha1.ContainerEngine) types.NamespacedName {
	return types.NamespacedName{Namespace: e.Namespace, Name: e.Name}
}

// WantsVM reports whether the App needs a virtual machine now.
func WantsVM(app *appv1alpha1.App) bool {
	return app != nil && app.DeletionTimestamp == nil && app.Spec.Running && app.Spec.ContainerEngine.Endpoint == ""
}

// virtualMachine adds what is missing for the App's virtual machine, if the App
// needs one.
func (d *diagnosis) virtualMachine() {
	if !WantsVM(d.App) || d.Host == nil || d.Host.CPUs == 0 { // 0: not observed yet
		return
	}
	found := ""
	if at := slices.IndexFunc(d.Host.Engines, func(e rddv1alpha1.Engine) bool {
		return traits.Of(e.Type).IsDockerAPI && e.Accessible
	}); at >= 0 {
		found = d.Host.Engines[at].Endpoint
	}
	if l := d.Host.Limactl; l.Version == "" {
		d.add(LimactlMissing, theApp(), l.Message, "error", l.Message, "found", found)
	}
	// A virtual machine that runs without KVM uses emulation: slow, but intended.
	if v := d.Host.Virtualization; !v.Available && !d.appRuns() {
		d.add(NoKVM, theApp(), v.Reason, "error", v.Reason, "found", found)
	}
}

// vmFailures are the reasons of the App's conditions for a failed virtual machine.
var vmFailures = []string{
	limav1alpha1.ReasonCreateFailed, limav1alpha1.ReasonStartFailed, limav1alpha1.ReasonStopFailed, limav1alpha1.ReasonCrashLoop,
}

// machineFails adds the failure of the App's virtual machine.
func (d *diagnosis) machineFails() {
	if d.App == nil || d.App.DeletionTimestamp != nil {
		return
	}
	for _, condition := range d.App.Status.Conditions {
		var code Code
		switch {
		case condition.Type != appv1alpha1.ConditionCreated && condition.Type != appv1alpha1.ConditionRunning:
			continue
		case slices.Contains(vmFailures, condition.Reason):
			code = VMFailed
		case condition.Reason == limav1alpha1.ReasonDegraded:
			code = VMDegraded
		default:
			continue
		}
		d.add(code, theApp(), condition.Reason, "reason", condition.Reason, "error", condition.Message, "vm", appv1alpha1.VMName).inCondition = true
		return
	}
}

// hopeless are the reasons of an unsettled App for a failure: waiting does not help.
var hopeless = append([]string{appv1alpha1.ReasonTemplateRejected}, vmFailures...)

// settled adds why the App has not settled, if it has failed or takes long.
func (d *diagnosis) settled() {
	if d.App == nil || d.App.DeletionTimestamp != nil {
		return
	}
	settled := apimeta.FindStatusCondition(d.App.Status.Conditions, appv1alpha1.ConditionSettled)
	if settled == nil || settled.Status == metav1.ConditionTrue {
		return
	}
	if d.Now.Sub(settled.LastTransitionTime.Time) < settlePatience && !slices.Contains(hopeless, settled.Reason) {
		return
	}
	d.add(AppNotSettled, theApp(), settled.Reason+settled.Message, "reason", settled.Reason, "error", settled.Message).inCondition = true
}

// contextFails adds why RDD can't update the context for the App's engine.
func (d *diagnosis) contextFails() {
	if d.App == nil || d.App.Status.DockerContextError == "" {
		return
	}
	failure, socket := d.App.Status.DockerContextError, d.App.Status.DockerSocket
	if !isLocal(socket) {
		socket = "" // the connection may need certificates
	}
	d.add(ContextFailed, theApp(), failure, "error", failure, "socket", socket)
}

// contexts compares the context for the App's engine with the one that RDD wrote.
// While the App settles RDD may still be changing it.
func (d *diagnosis) contexts() {
	c := d.Contexts
	if c == nil || d.App == nil || d.App.Status.DockerContext == "" || d.App.Status.DockerSocket == "" || !isSettled(d.App) {
		return
	}
	name, want := d.App.Status.DockerContext, d.App.Status.DockerSocket
	var what, how string
	switch {
	case c.Host == "":
		what = fmt.Sprintf("the Docker context %s does not exist: another program removed it", name)
		how = fmt.Sprintf("`docker context create %s --docker host=%s`, or `%s stop` and `%[3]s start`", name, want, d.Command)
	case c.Host != want:
		what = fmt.Sprintf("the Docker context %s is for %s, and RDD's engine is at %s: another program changed it", name, c.Host, want)
		how = fmt.Sprintf("`docker context update %s --docker host=%s`", name, want)
	case c.Chosen && c.Current != name:
		what = fmt.Sprintf("the current Docker context is %s instead of %s: `docker` uses another engine", c.Current, name)
		how = fmt.Sprintf("nothing if this is intended; otherwise `docker context use %s`", name)
	default:
		return
	}
	d.add(ContextTakenOver, theApp(), what, "what", what, "how", how)
}

func isSettled(app *appv1alpha1.App) bool {
	settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	return settled != nil && settled.Status == metav1.ConditionTrue && settled.ObservedGeneration == app.Generation
}

func (d *diagnosis) disk() {
	if d.Disk != nil && d.Disk.ReadOnly {
		d.add(DiskReadOnly, theHost(), "", "path", d.Disk.Path)
	}
	if d.Disk != nil && d.Disk.NearlyFull() {
		d.add(DiskNearlyFull, theHost(), "", "how", d.howToMakeRoom(), "free", Size(d.Disk.Free), "total", Size(d.Disk.Total), "path", d.Disk.Path)
	}
}

func (d *diagnosis) store() {
	if d.Store != nil && d.Store.Size >= storeLimit {
		d.add(StoreLarge, theHost(), "", "path", d.Store.Path, "size", Size(d.Store.Size))
	}
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
