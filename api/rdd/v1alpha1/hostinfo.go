// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HostInfoName is the name of the one HostInfo.
const HostInfoName = "system"

// VirtualizationType is a hypervisor of the operating system.
// +kubebuilder:validation:Enum=kvm;hvf;wsl2;none
type VirtualizationType string

// The types of virtualization.
const (
	// VirtualizationKVM is KVM of Linux.
	VirtualizationKVM VirtualizationType = "kvm"
	// VirtualizationHVF is the Hypervisor framework of macOS.
	VirtualizationHVF VirtualizationType = "hvf"
	// VirtualizationWSL2 is the Windows Subsystem for Linux, version 2.
	VirtualizationWSL2 VirtualizationType = "wsl2"
	VirtualizationNone VirtualizationType = "none"
)

// EngineType is the API of an engine.
// +kubebuilder:validation:Enum=moby;containerd
type EngineType string

// The types of engines.
const (
	// EngineMoby is any engine with Docker's API, Podman included.
	EngineMoby       EngineType = "moby"
	EngineContainerd EngineType = "containerd"
)

// Virtualization is whether the machine can run virtual machines.
type Virtualization struct {
	// Available is whether RDD can use it.
	// +required
	Available bool `json:"available"`

	// Type of the hypervisor, whether or not RDD can use it.
	// +required
	Type VirtualizationType `json:"type"`

	// Reason is why virtualization is not available, and what to do about it.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Engine is an existing socket of a container engine. RDD does not connect to it,
// because a connection can start an engine: whether one answers is unknown.
type Engine struct {
	// Type of the engine that is expected at the endpoint.
	// +required
	Type EngineType `json:"type"`

	// Endpoint of the engine, as in unix:///var/run/docker.sock. A socket with several
	// names is listed once.
	// +required
	Endpoint string `json:"endpoint"`

	// Accessible is whether the permissions allow a connection. It is always true on
	// Windows, which checks them only at a connection.
	// +required
	Accessible bool `json:"accessible"`

	// Message is why the socket is not accessible, and what to do about it.
	// +optional
	Message string `json:"message,omitempty"`
}

// Limactl is Lima's command.
type Limactl struct {
	// Path of the command; empty if it was not found.
	// +optional
	Path string `json:"path,omitempty"`

	// Version that the command prints.
	// +optional
	Version string `json:"version,omitempty"`

	// Message is why the path or the version is missing.
	// +optional
	Message string `json:"message,omitempty"`
}

// Disk is the file system with RDD's data.
type Disk struct {
	// Path is a directory on the file system: the instance's, or the user's home
	// directory in another cluster than RDD's.
	// +optional
	Path string `json:"path,omitempty"`

	// Free is roughly how much the user can still write. Small changes are not
	// reported.
	// +optional
	Free *resource.Quantity `json:"free,omitempty"`

	// Total is the size of the file system.
	// +optional
	Total *resource.Quantity `json:"total,omitempty"`
}

// HostInfoStatus is the observed state of the machine.
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

	// Architecture of the machine's processors, as in amd64 or arm64. RDD itself may be
	// built for another architecture, which the machine emulates.
	// +optional
	Architecture string `json:"architecture,omitempty"`

	// +optional
	Virtualization Virtualization `json:"virtualization,omitzero"`

	// Engines are the sockets of container engines that were found in the usual places,
	// and at DOCKER_HOST.
	// +listType=map
	// +listMapKey=endpoint
	// +optional
	Engines []Engine `json:"engines,omitempty"`

	// +optional
	Limactl Limactl `json:"limactl,omitzero"`

	// +optional
	Disk Disk `json:"disk,omitzero"`
}

// HostInfo describes the machine that RDD runs on. There is one, named system.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=hostinfos,scope=Cluster,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=5"
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
