// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DemoSpec describes a greeting.
type DemoSpec struct {
	// Name of the person to greet; the object's own name if empty.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`

	// Greeting is a text in which {{.Name}} stands for the name and {{.Namespace}} for
	// the object's namespace.
	// +kubebuilder:default="Hello, {{.Name}}!"
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Greeting string `json:"greeting,omitempty"`
}

// DemoStatus is the observed state.
type DemoStatus struct {
	// ObservedGeneration is the generation that the controller has handled.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Message is the greeting.
	// +optional
	Message string `json:"message,omitempty"`

	// Conditions has Ready: the message is up to date with the spec.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// The type and the reason of a Demo's condition.
const (
	ConditionReady = "Ready"
	ReasonGreeted  = "Greeted"
)

// Demo is an example of a kind with a controller, with admission in code, and with
// passthrough endpoints, for authors of controllers.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=demos
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=2"
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Demo struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:default={}
	// +optional
	Spec DemoSpec `json:"spec,omitempty"`
	// +optional
	Status DemoStatus `json:"status,omitempty"`
}

// DemoList is a list of Demos.
//
// +kubebuilder:object:root=true
type DemoList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Demo `json:"items"`
}
