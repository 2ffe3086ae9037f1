// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ImageStatus is the image as the engine describes it.
type ImageStatus struct {
	// ID of the image.
	// +optional
	ID string `json:"id,omitempty"`

	// RepoTag is the tag that this object mirrors; empty for an untagged image.
	// +optional
	RepoTag string `json:"repoTag,omitempty"`

	// RepoDigests are the image's references by digest in registries.
	// +listType=atomic
	// +optional
	RepoDigests []string `json:"repoDigests,omitempty"`

	// Namespace is the name of the ContainerNamespace that the image is in.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// CreatedAt is when the image was created.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// AgeFrom is when the object was mirrored. Its age is counted from there if
	// createdAt is in the future because the engine's clock is ahead. Absent
	// otherwise.
	// +optional
	AgeFrom *metav1.Time `json:"ageFrom,omitempty"`

	// Architecture is the architecture that the image is for, as in GOARCH.
	// +optional
	Architecture string `json:"architecture,omitempty"`

	// OS is the operating system that the image is for, as in GOOS.
	// +optional
	OS string `json:"os,omitempty"`

	// Size of the image in the engine, in bytes.
	// +optional
	Size int64 `json:"size,omitempty"`

	// Labels are the image's labels in the engine.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Conditions has Synced, Truncated, Deleting and DeletionRefused, each only if
	// it applies.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Image mirrors one tag of an image, or an untagged image. Its name is a hash, see
// [ImageName].
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=5"
// +kubebuilder:selectablefield:JSONPath=`.status.id`
// +kubebuilder:selectablefield:JSONPath=`.status.repoTag`
// +kubebuilder:selectablefield:JSONPath=`.status.namespace`
// +kubebuilder:printcolumn:name="Tag",type=string,JSONPath=`.status.repoTag`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="Size",type=integer,JSONPath=`.status.size`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.metadata.labels.containers\.rancherdesktop\.io/engine`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.status['ageFrom','createdAt']`
type Image struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status ImageStatus `json:"status,omitempty"`
}

// ImageList is a list of Images.
//
// +kubebuilder:object:root=true
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Image `json:"items"`
}
