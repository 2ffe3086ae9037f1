// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RestartAnnotation requests a restart of a running LimaVM, each time its value
// changes: the time of the request, for example.
const RestartAnnotation = "lima.rancherdesktop.io/restartRequested"

// ResetAnnotation requests a new virtual machine that replaces the present one, each
// time its value changes. The contents of its disk are lost.
const ResetAnnotation = "lima.rancherdesktop.io/resetRequested"

// TemplateKey is the key of a template in its ConfigMap.
const TemplateKey = "template"

// The types of a LimaVM's conditions.
const (
	// ConditionCreated is True when Lima's instance exists.
	ConditionCreated = "Created"
	// ConditionRunning is True when the virtual machine has booted and is running.
	ConditionRunning = "Running"
	// ConditionStalled is True, and absent otherwise, while waiting does not help until
	// the spec, the template or something outside changes. Its reason is that of the
	// condition that is not as the spec asks, or [ReasonTemplateRejected].
	ConditionStalled = "Stalled"
)

// ReasonTemplateRejected is a reason of [ConditionStalled]: limactl rejects the
// template, and the virtual machine keeps the one that it has.
const ReasonTemplateRejected = "TemplateRejected"

// Reasons of [ConditionCreated].
const (
	ReasonPending      = "Pending"
	ReasonCreated      = "Created" // with True only
	ReasonCreateFailed = "CreateFailed"
)

// Reasons of [ConditionRunning].
const (
	ReasonReconciling = "Reconciling"
	ReasonStarting    = "Starting"
	ReasonStarted     = "Started" // with True only
	// ReasonDegraded, with True: the virtual machine is running with errors.
	ReasonDegraded    = "Degraded"
	ReasonStartFailed = "StartFailed"
	ReasonStopped     = "Stopped"
	ReasonStopping    = "Stopping"
	ReasonStopFailed  = "StopFailed"
	// ReasonCrashLoop: starting has failed five times or more; the controller retries
	// with a growing delay.
	ReasonCrashLoop = "CrashLoop"
)

// Failed reports whether a condition is that of a failed attempt. The controller retries;
// with [ConditionStalled] a retry is not expected to succeed.
func Failed(condition metav1.Condition) bool {
	switch condition.Reason {
	case ReasonCreateFailed, ReasonStartFailed, ReasonStopFailed, ReasonCrashLoop:
		return condition.Status != metav1.ConditionTrue
	}
	return false
}

// Phase is an operation on a virtual machine.
// +kubebuilder:validation:Enum=Creating;Editing;Booting;Stopping;Deleting
type Phase string

// The phases.
const (
	PhaseCreating Phase = "Creating"
	PhaseEditing  Phase = "Editing"
	PhaseBooting  Phase = "Booting"
	PhaseStopping Phase = "Stopping"
	PhaseDeleting Phase = "Deleting"
)

// LimaVMSpec is the desired state of a virtual machine.
//
// +kubebuilder:validation:XValidation:rule="self.templateRef.name == oldSelf.templateRef.name",message="templateRef is immutable: edit the copy that status.templateConfigMap names",fieldPath=".templateRef"
type LimaVMSpec struct {
	// Running is whether the virtual machine should be running.
	// +kubebuilder:default=true
	// +optional
	Running *bool `json:"running,omitempty"`

	// TemplateRef names the ConfigMap that the virtual machine is created from. The
	// controller reads it once; it can be deleted afterwards. The reference is
	// immutable.
	// +required
	TemplateRef TemplateReference `json:"templateRef"`

	// Params are values for the template's own parameters, which the template declares
	// in its field param.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Params map[string]string `json:"params,omitempty"`
}

// TemplateReference names a ConfigMap in the namespace of the referring object.
type TemplateReference struct {
	// Name of a ConfigMap whose key template is a complete lima.yaml.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Progress describes an operation that is in progress.
type Progress struct {
	// Phase is the operation.
	// +required
	Phase Phase `json:"phase"`

	// Percent is roughly how much of the operation is complete; absent if unknown.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Percent *int32 `json:"percent,omitempty"`

	// Message is the current step, for people.
	// +optional
	Message string `json:"message,omitempty"`
}

// Socket is a socket in the guest that is forwarded to the host.
type Socket struct {
	// Guest is the path in the virtual machine.
	// +required
	Guest string `json:"guest"`

	// Host is the path on the host.
	// +required
	Host string `json:"host"`
}

// LimaVMStatus is the observed state of a virtual machine.
type LimaVMStatus struct {
	// ObservedGeneration is the generation of the spec that the controller has handled.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// TemplateConfigMap names the virtual machine's own copy of the template. Editing
	// the copy changes the virtual machine, which restarts if it is running.
	// +optional
	TemplateConfigMap string `json:"templateConfigMap,omitempty"`

	// ObservedTemplateResourceVersion is the resource version of that copy that is
	// applied to the virtual machine.
	// +optional
	ObservedTemplateResourceVersion string `json:"observedTemplateResourceVersion,omitempty"`

	// ReportedTemplateResourceVersion is the resource version of that copy that the
	// conditions and templateError describe.
	// +optional
	ReportedTemplateResourceVersion string `json:"reportedTemplateResourceVersion,omitempty"`

	// TemplateError is why the current copy is not applied. The virtual machine keeps
	// its previous template.
	// +optional
	TemplateError string `json:"templateError,omitempty"`

	// ObservedRestartRequest is the last value of the annotation
	// lima.rancherdesktop.io/restartRequested that the controller has handled.
	// +optional
	ObservedRestartRequest string `json:"observedRestartRequest,omitempty"`

	// ObservedResetRequest is the last value of the annotation
	// lima.rancherdesktop.io/resetRequested that the controller has handled.
	// +optional
	ObservedResetRequest string `json:"observedResetRequest,omitempty"`

	// RestartCount is how often the controller restarted the virtual machine: at a
	// user's request, for another template, or after a failure.
	// +optional
	RestartCount int32 `json:"restartCount"`

	// StartedAt is when the running virtual machine was started; absent if it is not
	// running.
	// +optional
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`

	// SSHAddress is the host and port of the guest's SSH server; absent until it is
	// known.
	// +optional
	SSHAddress string `json:"sshAddress,omitempty"`

	// SSHConfigFile is a configuration file for ssh, in which the guest is the host
	// lima-<name>.
	// +optional
	SSHConfigFile string `json:"sshConfigFile,omitempty"`

	// Sockets are the sockets that the template forwards to the host. They usually
	// exist while the virtual machine is running.
	// +listType=map
	// +listMapKey=host
	// +optional
	Sockets []Socket `json:"sockets,omitempty"`

	// Progress is present while an operation is in progress.
	// +optional
	Progress *Progress `json:"progress,omitempty"`

	// Conditions are Created and Running, and Stalled while waiting does not help:
	// until the spec, the template or something outside changes.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// LimaVM is a virtual machine that Lima runs. It has the name of Lima's instance, which
// is unique in the RDD instance.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=limavms,singular=limavm,shortName=vm,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=6"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]+([.-][a-z0-9]+)*$')",message="the name must be one that Lima takes: at most 63 lower case letters and digits, with single dots and dashes between them",fieldPath=".metadata"
// +kubebuilder:printcolumn:name="Running",type=string,JSONPath=`.status.conditions[?(@.type=="Running")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Running")].reason`
// +kubebuilder:printcolumn:name="Progress",type=integer,JSONPath=`.status.progress.percent`
// +kubebuilder:printcolumn:name="SSH",type=string,JSONPath=`.status.sshAddress`
// +kubebuilder:printcolumn:name="Restarts",type=integer,JSONPath=`.status.restartCount`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type LimaVM struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec LimaVMSpec `json:"spec"`
	// +optional
	Status LimaVMStatus `json:"status,omitempty"`
}

// ShouldRun reports whether the virtual machine should be running.
func (v *LimaVM) ShouldRun() bool {
	return v.DeletionTimestamp == nil && (v.Spec.Running == nil || *v.Spec.Running)
}

// TemplateCopy returns the name of the ConfigMap with the virtual machine's own copy of
// the template.
func (v *LimaVM) TemplateCopy() string { return v.Name + "-template" }

// LimaVMList is a list of LimaVMs.
//
// +kubebuilder:object:root=true
type LimaVMList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []LimaVM `json:"items"`
}
