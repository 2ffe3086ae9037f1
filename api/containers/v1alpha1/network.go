// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Subnet is a range of addresses of a network.
type Subnet struct {
	// Subnet in CIDR notation.
	// +optional
	Subnet string `json:"subnet,omitempty"`

	// Gateway is the address of the gateway in the subnet. Absent if the network has
	// none.
	// +optional
	Gateway string `json:"gateway,omitempty"`
}

// NetworkStatus is the network as the engine describes it.
type NetworkStatus struct {
	// ID of the network in the engine.
	// +optional
	ID string `json:"id,omitempty"`

	// Name of the network in the engine.
	// +optional
	Name string `json:"name,omitempty"`

	// Namespace is the name of the ContainerNamespace that the network is in.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Driver of the network, for example bridge.
	// +optional
	Driver string `json:"driver,omitempty"`

	// Scope is local, swarm or global.
	// +optional
	Scope string `json:"scope,omitempty"`

	// Internal is whether the network has no connection to other networks.
	// +optional
	Internal bool `json:"internal,omitempty"`

	// IPv6 is whether the network has IPv6 addresses.
	// +optional
	IPv6 bool `json:"ipv6,omitempty"`

	// Attachable is whether containers outside of the swarm's services can connect to
	// a network of a swarm.
	// +optional
	Attachable bool `json:"attachable,omitempty"`

	// Subnets of the network, those of IPv4 first.
	// +listType=atomic
	// +optional
	Subnets []Subnet `json:"subnets,omitempty"`

	// Labels of the network in the engine.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Options of the network's driver.
	// +optional
	Options map[string]string `json:"options,omitempty"`

	// CreatedAt is when the network was created.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// AgeFrom is what the age is counted from if createdAt is in the future, as of an
	// engine whose clock is ahead: when the object was mirrored. Absent otherwise.
	// +optional
	AgeFrom *metav1.Time `json:"ageFrom,omitempty"`

	// Conditions has Synced, Truncated, Deleting and DeletionRefused, each only if
	// it applies.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Network mirrors a network. Its name is a hash, see [NetworkName].
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=net,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=1"
// +kubebuilder:selectablefield:JSONPath=`.status.id`
// +kubebuilder:selectablefield:JSONPath=`.status.name`
// +kubebuilder:selectablefield:JSONPath=`.status.driver`
// +kubebuilder:printcolumn:name="Network",type=string,JSONPath=`.status.name`
// +kubebuilder:printcolumn:name="Driver",type=string,JSONPath=`.status.driver`
// +kubebuilder:printcolumn:name="Subnet",type=string,JSONPath=`.status.subnets[*].subnet`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.metadata.labels.containers\.rancherdesktop\.io/engine`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.status['ageFrom','createdAt']`
type Network struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status NetworkStatus `json:"status,omitempty"`
}

// NetworkList is a list of Networks.
//
// +kubebuilder:object:root=true
type NetworkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Network `json:"items"`
}
