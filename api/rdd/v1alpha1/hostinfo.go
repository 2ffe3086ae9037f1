// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HostInfoName is the name of the one HostInfo.
const HostInfoName = "system"

// VirtualizationType is what of the operating system runs virtual machines.
// +kubebuilder:validation:Enum=kvm;hvf;wsl2;none
type VirtualizationType string

// The types of virtualization.
const (
	// VirtualizationKVM is Linux' own.
	VirtualizationKVM VirtualizationType = "kvm"
	// VirtualizationHVF is macOS' Hypervisor framework.
	VirtualizationHVF VirtualizationType = "hvf"
	// VirtualizationWSL2 is the Windows Subsystem for Linux, version 2.
	VirtualizationWSL2 VirtualizationType = "wsl2"
	VirtualizationNone VirtualizationType = "none"
)

// EngineType is what a socket is spoken to with.
// +kubebuilder:validation:Enum=moby;containerd
type EngineType string

// The types of engines.
const (
	// EngineMoby is any engine with Docker's API, Podman included.
	EngineMoby       EngineType = "moby"
	EngineContainerd EngineType = "containerd"
)

// Virtualization says whether the machine can run virtual machines.
type Virtualization struct {
	// Available is whether RDD can use it.
	// +required
	Available bool `json:"available"`

	// Type is what there is, whether RDD can use it or not.
	// +required
	Type VirtualizationType `json:"type"`

	// Reason is why it is not available, and what to do about it.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Engine is the socket of a container engine. It is there; whether an engine
// answers is not known, as a connection could start one.
type Engine struct {
	// Type of the engine, as is to be expected at the endpoint.
	// +required
	Type EngineType `json:"type"`

	// Endpoint of the engine, as in unix:///var/run/docker.sock. A socket with
	// several names is listed once.
	// +required
	Endpoint string `json:"endpoint"`

	// Accessible is whether the permissions allow a connection. On Windows it is
	// always true: only a connection would tell.
	// +required
	Accessible bool `json:"accessible"`

	// Message says why it is not accessible, and what to do about it.
	// +optional
	Message string `json:"message,omitempty"`
}

// Limactl is Lima's command.
type Limactl struct {
	// Path of the command; empty where none was found.
	// +optional
	Path string `json:"path,omitempty"`

	// Version that it says it has.
	// +optional
	Version string `json:"version,omitempty"`

	// Message says why there is no path or no version.
	// +optional
	Message string `json:"message,omitempty"`
}

// Disk is the file system on which RDD keeps its data.
type Disk struct {
	// Path is a directory on it: the instance's, or in another cluster than RDD's
	// the user's home.
	// +optional
	Path string `json:"path,omitempty"`

	// Free is how much the user can still write, roughly: small changes are not
	// told.
	// +optional
	Free *resource.Quantity `json:"free,omitempty"`

	// Total is the size of the file system.
	// +optional
	Total *resource.Quantity `json:"total,omitempty"`
}

// HostInfoStatus is how the machine is. It changes when the machine does.
type HostInfoStatus struct {
	// CPUs is the number of processors that RDD may use.
	// +optional
	CPUs int32 `json:"cpus,omitempty"`

	// Memory is the size of the main memory.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`

	// OperatingSystem is linux, darwin or windows.
	// +optional
	OperatingSystem string `json:"operatingSystem,omitempty"`

	// Architecture of the machine's processors, as in amd64 or arm64. RDD itself
	// may be built for another one that they emulate.
	// +optional
	Architecture string `json:"architecture,omitempty"`

	// +optional
	Virtualization Virtualization `json:"virtualization,omitzero"`

	// Engines are the sockets of container engines that were found where they
	// usually are, and at DOCKER_HOST.
	// +listType=map
	// +listMapKey=endpoint
	// +optional
	Engines []Engine `json:"engines,omitempty"`

	// +optional
	Limactl Limactl `json:"limactl,omitzero"`

	// +optional
	Disk Disk `json:"disk,omitzero"`
}

// HostInfo says what the machine has that RDD runs on. There is one, named
// system.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=hostinfos,scope=Cluster,categories=rdd
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=3"
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'system'",message="there is one HostInfo, and its name is system",messageExpression="'\"' + self.metadata.name + '\": there is one HostInfo, and its name is system'",fieldPath=".metadata"
// +kubebuilder:printcolumn:name="CPUs",type=integer,JSONPath=`.status.cpus`
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.status.memory`
// +kubebuilder:printcolumn:name="OS",type=string,JSONPath=`.status.operatingSystem`
// +kubebuilder:printcolumn:name="Arch",type=string,JSONPath=`.status.architecture`
// +kubebuilder:printcolumn:name="Virtualization",type=boolean,JSONPath=`.status.virtualization.available`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type HostInfo struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status HostInfoStatus `json:"status,omitempty"`
}

// HostInfoList is a list of HostInfos.
//
// +kubebuilder:object:root=true
type HostInfoList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []HostInfo `json:"items"`
}
