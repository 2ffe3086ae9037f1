// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ContainerNamespaceStatus is the namespace as the engine describes it.
type ContainerNamespaceStatus struct {
	// Name of the namespace in the engine.
	// +optional
	Name string `json:"name,omitempty"`

	// Labels are the namespace's labels in the engine.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Conditions has Synced, Truncated, Deleting and DeletionRefused, each only if
	// it applies.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ContainerNamespace mirrors a containerd namespace; a moby engine has one, named
// moby. If another engine's ContainerNamespace already has that name, a dot and
// the name of the ContainerEngine are appended.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cns,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=4"
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.metadata.labels.containers\.rancherdesktop\.io/engine`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ContainerNamespace struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status ContainerNamespaceStatus `json:"status,omitempty"`
}

// ContainerNamespaceList is a list of ContainerNamespaces.
//
// +kubebuilder:object:root=true
type ContainerNamespaceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ContainerNamespace `json:"items"`
}
