// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// VolumeStatus is the volume as the engine describes it.
type VolumeStatus struct {
	// Name of the volume in the engine.
	// +optional
	Name string `json:"name,omitempty"`

	// Namespace is the name of the ContainerNamespace that the volume is in.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Driver of the volume.
	// +optional
	Driver string `json:"driver,omitempty"`

	// Mountpoint is the path of the content on the engine's machine.
	// +optional
	Mountpoint string `json:"mountpoint,omitempty"`

	// Scope is local or global.
	// +optional
	Scope string `json:"scope,omitempty"`

	// Labels are the volume's labels in the engine.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Options are the driver options of the volume.
	// +optional
	Options map[string]string `json:"options,omitempty"`

	// CreatedAt is when the volume was created.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// AgeFrom is when the object was mirrored. Its age is counted from there if
	// createdAt is in the future because the engine's clock is ahead. Absent
	// otherwise.
	// +optional
	AgeFrom *metav1.Time `json:"ageFrom,omitempty"`

	// Conditions has Synced, Truncated, Deleting and DeletionRefused, each only if
	// it applies.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Volume mirrors a volume. Its name is a hash, see [VolumeName].
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=5"
// +kubebuilder:selectablefield:JSONPath=`.status.name`
// +kubebuilder:selectablefield:JSONPath=`.status.namespace`
// +kubebuilder:printcolumn:name="Volume",type=string,JSONPath=`.status.name`
// +kubebuilder:printcolumn:name="Driver",type=string,JSONPath=`.status.driver`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.metadata.labels.containers\.rancherdesktop\.io/engine`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.status['ageFrom','createdAt']`
type Volume struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status VolumeStatus `json:"status,omitempty"`
}

// VolumeList is a list of Volumes.
//
// +kubebuilder:object:root=true
type VolumeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Volume `json:"items"`
}
