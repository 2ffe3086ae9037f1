// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppName is the name of the one App.
const AppName = "app"

// VMName is the name of the LimaVM that an App owns, in its namespace.
const VMName = "rd"

// ResetAnnotation requests a new virtual machine that replaces the present one, with
// the same settings, each time its value changes: the time of the request, for example.
// The contents of the old disk are lost.
const ResetAnnotation = "app.rancherdesktop.io/resetRequested"

// EngineName is a container engine that RDD can run.
// +kubebuilder:validation:Enum=moby;containerd
type EngineName string

// The supported engines.
const (
	EngineMoby       EngineName = "moby"
	EngineContainerd EngineName = "containerd"
)

// Types of an App's conditions.
const (
	ConditionCreated              = "Created"
	ConditionRunning              = "Running"
	ConditionContainerEngineReady = "ContainerEngineReady"
	ConditionSettled              = "Settled"
	// ConditionStalled is True, and absent otherwise, while waiting does not help until
	// the spec or something outside changes. Its reason and message are those of
	// [ConditionSettled].
	ConditionStalled = "Stalled"
)

// Reasons of an App's conditions that are not copied from an owned object.
const (
	// ReasonNotApplicable: there is no virtual machine, because the spec names an
	// existing engine.
	ReasonNotApplicable = "NotApplicable"
	// ReasonTemplateRejected: limactl rejects the new settings; the virtual machine
	// keeps its current ones.
	ReasonTemplateRejected = "TemplateRejected"
	// ReasonConflict: an object of another owner has the name that the App needs.
	ReasonConflict = "Conflict"

	ReasonSettled          = "Settled"
	ReasonApplyingTemplate = "ApplyingTemplate"
	ReasonWaitingForVM     = "WaitingForVM"
	ReasonWaitingForEngine = "WaitingForEngine"
	ReasonStopped          = "Stopped"
	ReasonPending          = "Pending"
)

// ContainerEngine selects the engine.
//
// +kubebuilder:validation:XValidation:rule="self.name != 'containerd' || !has(self.endpoint) || self.endpoint.matches('^($|unix:///|npipe:////)')",message="of containerd it must be empty, or begin with unix:/// or npipe:////",messageExpression="'\"' + self.endpoint + '\": of containerd it must be empty, or begin with unix:/// or npipe:////'",fieldPath=".endpoint"
type ContainerEngine struct {
	// Name of the engine.
	// +kubebuilder:default=moby
	// +optional
	Name EngineName `json:"name,omitempty"`

	// Endpoint of an existing engine, as in unix:///var/run/docker.sock,
	// tcp://host:port or ssh://user@host. If empty, RDD uses the engine in its own
	// virtual machine.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^(unix:///|npipe:////|tcp://|ssh://).')",message="must be empty, or begin with unix:///, npipe:////, tcp:// or ssh://"
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
}

// Mount is a directory of the host that is mounted in the virtual machine.
type Mount struct {
	// Location on the host.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^(/|~$|~/|[A-Za-z]:[\\/])`
	Location string `json:"location"`

	// MountPoint in the virtual machine; the same as Location if empty.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^(/.*)?$`
	// +optional
	MountPoint string `json:"mountPoint,omitempty"`

	// Writable allows the virtual machine to write to the directory.
	// +optional
	Writable bool `json:"writable,omitempty"`
}

// VirtualMachine describes RDD's own virtual machine. It is used only if
// containerEngine.endpoint is empty.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.disk) || (has(self.disk) && quantity(string(self.disk)).compareTo(quantity(string(oldSelf.disk))) >= 0)",message="a disk may grow and never shrink",messageExpression="'a disk may grow and never shrink: it has ' + string(oldSelf.disk) + ', and was to have ' + (has(self.disk) ? string(self.disk) : 'none')",fieldPath=".disk"
type VirtualMachine struct {
	// CPUs is the number of processors, at most the host's. 0 is replaced by the
	// default: RDD_VM_CPUS of the daemon, else half of the host's processors, at least
	// 2 if the host has them, at most 8.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=256
	// +optional
	CPUs int32 `json:"cpus,omitempty"`

	// Memory is the size of the main memory, at most the host's. 0 is replaced by the
	// default: a quarter of the host's, between 2 and 8 GiB.
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && (quantity(string(self)).compareTo(quantity('0')) == 0 || quantity(string(self)).compareTo(quantity('512Mi')) >= 0)",message="must be a quantity of at least 512Mi, as in 4Gi, or 0 for the default"
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`

	// Disk is the size of the disk. It can grow, but not shrink.
	// +kubebuilder:default="100Gi"
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Gi')) >= 0",message="must be a quantity of at least 1Gi, as in 100Gi"
	// +optional
	Disk *resource.Quantity `json:"disk,omitempty"`

	// Image is an absolute path or a URL of a disk image, with an optional digest, as
	// in https://example.com/vm.qcow2#sha256:… If empty, the built-in template names
	// the image. A change applies to the next virtual machine: `rdd reset` replaces an
	// existing one.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(|(/|~/|https?://|file:///|[A-Za-z]:[\\\\/]).+)$')",message="must be an absolute path, a path that begins with ~/, or a URL with https, http or file"
	// +kubebuilder:validation:XValidation:rule="!self.matches('#sha[0-9]+:[^/]*$') || self.matches('#(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$')",message="a digest must be sha256: with 64, or sha512: with 128 lower case hexadecimal digits"
	// +optional
	Image string `json:"image,omitempty"`

	// Mounts are directories of the host that are mounted in the virtual machine.
	// +listType=map
	// +listMapKey=location
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Mounts []Mount `json:"mounts,omitempty"`
}

// Updates configures how RDD handles its newer versions.
type Updates struct {
	// Enabled is whether to look for newer versions.
	// +kubebuilder:default=true
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// URL of the feed that names the newest release, for `rdd upgrade --check`: JSON, an
	// object with version and url, or a list of them. Empty: none.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^https?://.')",message="must be empty, or begin with https:// or http://"
	// +optional
	URL string `json:"url,omitempty"`
}

// Application has settings of the desktop application.
type Application struct {
	// +kubebuilder:default={}
	// +optional
	Updates Updates `json:"updates,omitempty"`
}

// AppSpec is the desired state of RDD.
type AppSpec struct {
	// Running is whether the engine should be running and mirrored.
	// +kubebuilder:default=false
	// +optional
	Running bool `json:"running"`

	// Namespace of all objects that the App owns. It is immutable.
	// +kubebuilder:default=rancher-desktop
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="namespace is immutable: delete the App to choose another"
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// +kubebuilder:default={}
	// +optional
	ContainerEngine ContainerEngine `json:"containerEngine,omitempty"`

	// +kubebuilder:default={}
	// +optional
	VirtualMachine VirtualMachine `json:"virtualMachine,omitempty"`

	// +kubebuilder:default={}
	// +optional
	Application Application `json:"application,omitempty"`
}

// AppStatus is the observed state.
type AppStatus struct {
	// ObservedGeneration is the generation of the spec that the conditions describe.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// ObservedResetRequest is the last value of the annotation
	// app.rancherdesktop.io/resetRequested that the controller has handled: the virtual
	// machine of that time is deleted.
	// +optional
	ObservedResetRequest string `json:"observedResetRequest,omitempty"`

	// DockerSocket is the endpoint of the engine's Docker API, while the engine is
	// connected.
	// +optional
	DockerSocket string `json:"dockerSocket,omitempty"`

	// DockerContext is the name of the Docker context for the engine, if it exists.
	// +optional
	DockerContext string `json:"dockerContext,omitempty"`

	// DockerContextError is why the last attempt to create or remove the Docker context
	// failed. The controller retries.
	// +optional
	DockerContextError string `json:"dockerContextError,omitempty"`

	// Conditions are Created, Running, ContainerEngineReady and Settled, and Stalled
	// while waiting does not help: until the spec or something outside changes.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// App is the desired state of RDD as a whole. There is one, named app.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=8"
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'app'",message="there is one App, and its name is app",messageExpression="'\"' + self.metadata.name + '\": there is one App, and its name is app'",fieldPath=".metadata"
// +kubebuilder:printcolumn:name="Wanted",type=boolean,JSONPath=`.spec.running`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.spec.containerEngine.name`
// +kubebuilder:printcolumn:name="EngineReady",type=string,JSONPath=`.status.conditions[?(@.type=="ContainerEngineReady")].status`
// +kubebuilder:printcolumn:name="Settled",type=string,JSONPath=`.status.conditions[?(@.type=="Settled")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Settled")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type App struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:default={}
	// +optional
	Spec AppSpec `json:"spec,omitempty"`
	// +optional
	Status AppStatus `json:"status,omitempty"`
}

// AppList is a list of Apps.
//
// +kubebuilder:object:root=true
type AppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []App `json:"items"`
}
