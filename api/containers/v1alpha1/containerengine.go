// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EngineType is a kind of container engine.
// +kubebuilder:validation:Enum=moby;containerd;simulated
type EngineType string

// ReconnectAnnotation requests a new connection each time its value changes. The
// mirrors are kept.
const ReconnectAnnotation = "containers.rancherdesktop.io/reconnectRequested"

// The kinds of engines.
const (
	EngineMoby       EngineType = "moby"
	EngineContainerd EngineType = "containerd"
	EngineSimulated  EngineType = "simulated"
)

// DefaultResyncPeriod is the time between two comparisons if the spec sets none.
const DefaultResyncPeriod = time.Minute

// Types of a ContainerEngine's conditions. [ConditionComplete] is the second.
const (
	// ConditionReady is True while the engine is connected and every kind of object
	// is listed or named in [ConditionComplete].
	ConditionReady = "Ready"
)

// Reasons of [ConditionReady]. Only [ReasonConnected] comes with True.
const (
	ReasonConnected     = "Connected"
	ReasonConnecting    = "Connecting"
	ReasonConnectFailed = "ConnectFailed"
	ReasonDisconnected  = "Disconnected"
	// ReasonPermissionDenied: the user that the controller runs as may not use the
	// engine's socket. As after [ReasonConnectFailed] the controller retries.
	ReasonPermissionDenied = "PermissionDenied"
	ReasonStopped          = "Stopped"
	ReasonEngineChanged    = "EngineChanged"
	ReasonConflict         = "Conflict"
	ReasonUnsupported      = "Unsupported"
	// ReasonWrongProtocol: the server at the endpoint does not speak the protocol of the
	// engine's type. As after [ReasonConnectFailed] the controller retries.
	ReasonWrongProtocol = "WrongProtocol"
)

// Reasons why the controller could not mirror an object or act on it. A mirror
// has them in [ConditionSynced]; its ContainerEngine has the most severe one in
// [ConditionComplete].
const (
	// ReasonListFailed: a kind of object could not be listed.
	ReasonListFailed = "ListFailed"
	// ReasonListSlow: the list of a kind takes longer than five seconds.
	ReasonListSlow = "ListSlow"
	// ReasonInspectFailed: an object could not be read, or not within five seconds.
	ReasonInspectFailed = "InspectFailed"
	// ReasonWriteRefused: the API server, a policy or a webhook refuses the mirror.
	ReasonWriteRefused = "WriteRefused"
	// ReasonActFailed: an action on a container failed; the controller retries it.
	ReasonActFailed = "ActFailed"
	// ReasonDeletionFailed: the engine failed to remove an object.
	ReasonDeletionFailed = "DeletionFailed"
	// ReasonComplete: every engine object is mirrored. The status is True.
	ReasonComplete = "Complete"
)

// ReasonControllerGone is the reason of a condition that is Unknown because its
// controller does not run.
const ReasonControllerGone = "ControllerGone"

// ContainerEngineSpec describes the engine to connect to.
//
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",message="type is immutable: create another ContainerEngine"
// +kubebuilder:validation:XValidation:rule="self.type != 'moby' || self.endpoint.matches('^(unix:///|npipe:////|tcp://|ssh://).')",message="endpoint of a moby engine must begin with unix:///, npipe:////, tcp:// or ssh://"
// +kubebuilder:validation:XValidation:rule="self.type != 'containerd' || self.endpoint.matches('^(unix:///|npipe:////).')",message="endpoint of a containerd engine must begin with unix:/// or npipe:////"
// +kubebuilder:validation:XValidation:rule="self.type != 'simulated' || self.endpoint.matches('^file:///.')",message="endpoint of a simulated engine must begin with file:///"
// +kubebuilder:validation:XValidation:rule="!has(self.secretRef) || (self.type == 'moby' && self.endpoint.startsWith('tcp://'))",message="secretRef requires the type moby and an endpoint that begins with tcp://",fieldPath=".secretRef"
// +kubebuilder:validation:XValidation:rule="duration(self.resyncPeriod) >= duration('1s')",message="resyncPeriod must be at least 1s",fieldPath=".resyncPeriod"
type ContainerEngineSpec struct {
	// Type is the kind of engine: moby (the Docker API), containerd, or
	// simulated (fixed objects from a file). It is immutable.
	// +required
	Type EngineType `json:"type"`

	// Endpoint is where the engine listens: unix:///path, npipe:////./pipe/name,
	// tcp://host:port, ssh://user@host:port/path (port and path are optional), or,
	// for a simulated engine, file:///path.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Endpoint string `json:"endpoint"`

	// SecretRef names a Secret with TLS certificates. If it is set, the connection
	// to a tcp:// endpoint uses TLS, and the engine's certificate must be valid for
	// its host name. The controller reads the Secret for every new connection.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// Running is whether the controller connects to the engine. If false, it
	// disconnects and removes the mirrors; the engine keeps running.
	// +kubebuilder:default=true
	// +optional
	Running *bool `json:"running,omitempty"`

	// ResyncPeriod is the time between two comparisons of all mirrors with the
	// engine, which repair mirrors after lost events.
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=duration
	// +kubebuilder:validation:MaxLength=32
	// +optional
	ResyncPeriod *metav1.Duration `json:"resyncPeriod,omitempty"`
}

// SecretReference names a Secret in the namespace of the referring object.
type SecretReference struct {
	// Name is the name of a Secret with the keys ca.crt (the CA certificates that
	// verify the engine's certificate; default: the system's), and tls.crt and
	// tls.key (the client certificate and its private key, if the engine requires
	// one), all in PEM. Docker's names work too: ca.pem, cert.pem, key.pem.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ContainerEngineStatus is the observed state of the engine.
type ContainerEngineStatus struct {
	// ObservedGeneration is the generation of the spec that the controller last
	// acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// ObservedReconnectRequest is the value of the annotation
	// containers.rancherdesktop.io/reconnectRequested that the controller last
	// acted on.
	// +optional
	ObservedReconnectRequest string `json:"observedReconnectRequest,omitempty"`

	// EngineID is the ID that the engine reports. The controller does not mirror
	// another engine at the same endpoint.
	// +optional
	EngineID string `json:"engineID,omitempty"`

	// HostName is the host name that the engine reports.
	// +optional
	HostName string `json:"hostName,omitempty"`

	// RootDir is the engine's data directory. The same EngineID with another
	// directory is another engine.
	// +optional
	RootDir string `json:"rootDir,omitempty"`

	// Endpoint is the endpoint at which the engine reported EngineID.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// Version is the engine's version.
	// +optional
	Version string `json:"version,omitempty"`

	// APIVersion is the version of the engine's API in use.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`

	// OS is the operating system that containers run on.
	// +optional
	OS string `json:"os,omitempty"`

	// Architecture is the architecture of the engine's machine, as in GOARCH.
	// +optional
	Architecture string `json:"architecture,omitempty"`

	// CPUs is the number of processors of the engine's machine.
	// +optional
	CPUs int32 `json:"cpus,omitempty"`

	// Memory is the size of the main memory of the engine's machine.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`

	// Containers is the number of Container objects of this engine.
	// +kubebuilder:default=0
	// +optional
	Containers int32 `json:"containers"`

	// Images is the number of Image objects of this engine.
	// +kubebuilder:default=0
	// +optional
	Images int32 `json:"images"`

	// Volumes is the number of Volume objects of this engine.
	// +kubebuilder:default=0
	// +optional
	Volumes int32 `json:"volumes"`

	// Networks is the number of Network objects of this engine.
	// +kubebuilder:default=0
	// +optional
	Networks int32 `json:"networks"`

	// Failed is the number of problems: objects of the engine that could not be
	// mirrored or acted on, and kinds that could not be listed. The condition
	// Complete describes the most severe one.
	// +optional
	Failed int32 `json:"failed,omitempty"`

	// LastSync is when the controller last compared all mirrors with the engine.
	// +optional
	LastSync *metav1.Time `json:"lastSync,omitempty"`

	// Conditions are Ready and Complete.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ContainerEngine is a connection to a container engine. It owns the objects that
// mirror the engine's containers, images, volumes and namespaces.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ce,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=8"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name must have at most 63 characters: it is a label of every mirror",fieldPath=".metadata"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Containers",type=integer,JSONPath=`.status.containers`
// +kubebuilder:printcolumn:name="Images",type=integer,JSONPath=`.status.images`
// +kubebuilder:printcolumn:name="Volumes",type=integer,JSONPath=`.status.volumes`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`,priority=1
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.spec.endpoint`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ContainerEngine struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ContainerEngineSpec `json:"spec"`
	// +optional
	Status ContainerEngineStatus `json:"status,omitempty"`
}

// ShouldRun reports whether the engine should be connected.
func (e *ContainerEngine) ShouldRun() bool {
	return e.DeletionTimestamp == nil && (e.Spec.Running == nil || *e.Spec.Running)
}

// SecretName returns the name of the Secret that the spec names; empty if none.
func (e *ContainerEngine) SecretName() string {
	if e.Spec.SecretRef == nil {
		return ""
	}
	return e.Spec.SecretRef.Name
}

// Resync returns the time between two comparisons.
func (e *ContainerEngine) Resync() time.Duration {
	if e.Spec.ResyncPeriod == nil {
		return DefaultResyncPeriod
	}
	return e.Spec.ResyncPeriod.Duration
}

// ContainerEngineList is a list of ContainerEngines.
//
// +kubebuilder:object:root=true
type ContainerEngineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ContainerEngine `json:"items"`
}
