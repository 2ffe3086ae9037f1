// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is version v1alpha1 of the API group notes.example.com.
//
// +kubebuilder:object:generate=true
// +groupName=notes.example.com
package v1alpha1

import (
	"embed"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this version of the group.
var GroupVersion = schema.GroupVersion{Group: "notes.example.com", Version: "v1alpha1"}

// Files holds the CustomResourceDefinitions of the group.
//
//go:embed crds/*.yaml
var Files embed.FS

// AddToScheme registers the types of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Note{}, &NoteList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// NoteSpec is what the user writes.
type NoteSpec struct {
	// Text of the note.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=10000
	Text string `json:"text"`
}

// NoteStatus is what the controller writes.
type NoteStatus struct {
	// ObservedGeneration is the generation that was acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Words is how many the text has.
	// +optional
	Words int32 `json:"words,omitempty"`
}

// Note is a text whose words are counted.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=1"
// +kubebuilder:printcolumn:name="Words",type=integer,JSONPath=`.status.words`
type Note struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   NoteSpec   `json:"spec"`
	Status NoteStatus `json:"status,omitempty"`
}

// NoteList is a list of Notes.
//
// +kubebuilder:object:root=true
type NoteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Note `json:"items"`
}
