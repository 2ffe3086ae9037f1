// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

const (
	vmWanted    = "the App needs a virtual machine because it names no existing engine: {error}"
	instead     = "; or use an existing engine: `{rdd} set containerEngine.endpoint="
	installLima = "install Lima (https://lima-vm.io/docs/installation/), so that `limactl --version` answers"
	enableKVM   = "on Linux `sudo usermod -aG kvm $USER` and a new login if /dev/kvm exists, otherwise enable virtualization in the firmware"
)

// LimactlMissing means: a virtual machine is wanted, and there is no limactl.
var LimactlMissing = &Diagnostic{
	Code: "limactl-missing", Severity: Error, Title: "limactl not found",
	Text: vmWanted, Remedy: installLima + instead + "{found}`", Otherwise: installLima + instead + "…`",
	Reporter: AppEvents,
	Rule: func(o *Observed) []evidence {
		if !o.wantsVMHere() || o.Host.Limactl.Version != "" {
			return nil
		}
		failure := o.Host.Limactl.Message
		return []evidence{{subject: theApp(), state: failure, args: arguments{"error", failure, "found", o.usableEngine()}}}
	},
}

// NoKVM means: a virtual machine is wanted, and this machine can't run any.
var NoKVM = &Diagnostic{
	Code: "no-kvm", Severity: Error, Title: "This machine can't run virtual machines",
	Text: vmWanted, Remedy: enableKVM + instead + "{found}`", Otherwise: enableKVM + instead + "…`",
	Reporter: AppEvents,
	Rule: func(o *Observed) []evidence {
		// A virtual machine that runs without KVM uses emulation: slow, but intended.
		if !o.wantsVMHere() || o.Host.Virtualization.Available || o.appRuns() {
			return nil
		}
		failure := o.Host.Virtualization.Reason
		return []evidence{{subject: theApp(), state: failure, args: arguments{"error", failure, "found", o.usableEngine()}}}
	},
}

// VMFailed means: the App's virtual machine could not be made, started or stopped.
var VMFailed = &Diagnostic{
	Code: "vm-failed", Severity: Error, Title: "The virtual machine failed",
	Text: "{reason}: {error}",
	Remedy: "`{rdd} limavm log {vm}` shows the output, also with `--agent` and `--serial`. RDD retries; `{rdd} limavm restart {vm}` " +
		"retries at once. `{rdd} reset` creates a new virtual machine, and everything in this one is lost",
	DependsOn: []*Diagnostic{LimactlMissing, NoKVM},
	Reporter:  Conditions,
	Rule: func(o *Observed) []evidence {
		return o.machine(limav1alpha1.Failed)
	},
}

// VMDegraded means: the virtual machine runs, but for a part of it.
var VMDegraded = &Diagnostic{
	Code: "vm-degraded", Severity: Warning, Title: "The virtual machine is degraded",
	Text:     "{error}",
	Remedy:   "`{rdd} limavm log {vm} --agent` shows more; `{rdd} limavm restart {vm}` starts it again",
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		return o.machine(degraded)
	},
}

// WantsVM reports whether the App needs a virtual machine now.
func WantsVM(app *appv1alpha1.App) bool {
	return app != nil && app.DeletionTimestamp == nil && app.Spec.Running && app.Spec.ContainerEngine.Endpoint == ""
}

// wantsVMHere reports whether the App needs a virtual machine, and the host was looked
// at.
func (o *Observed) wantsVMHere() bool {
	return WantsVM(o.App) && o.Host != nil && o.Host.CPUs != 0
}

// usableEngine returns the endpoint of an engine of the host that the user may use;
// empty for none.
func (o *Observed) usableEngine() string {
	at := slices.IndexFunc(o.Host.Engines, func(e rddv1alpha1.Engine) bool { return traits.Of(e.Type).IsDockerAPI && e.Accessible })
	if at < 0 {
		return ""
	}
	return o.Host.Engines[at].Endpoint
}

// machine returns the App, if the first condition of its virtual machine that has one
// of the reasons of VMFailed and VMDegraded has one that matches.
func (o *Observed) machine(matches func(metav1.Condition) bool) []evidence {
	if o.App == nil || o.App.DeletionTimestamp != nil {
		return nil
	}
	for _, condition := range o.App.Status.Conditions {
		if condition.Type != appv1alpha1.ConditionCreated && condition.Type != appv1alpha1.ConditionRunning {
			continue
		}
		if !limav1alpha1.Failed(condition) && !degraded(condition) {
			continue
		}
		if !matches(condition) {
			return nil
		}
		return []evidence{{subject: theApp(), state: condition.Reason, inCondition: true,
			args: arguments{"reason", condition.Reason, "error", condition.Message, "vm", appv1alpha1.VMName}}}
	}
	return nil
}

func degraded(condition metav1.Condition) bool {
	return condition.Reason == limav1alpha1.ReasonDegraded
}
