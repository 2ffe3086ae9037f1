// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Conditions of an ImagePullRequest. When it has finished, exactly one of them is
// True.
const (
	ConditionComplete = "Complete"
	ConditionFailed   = "Failed"
)

// Reasons of an ImagePullRequest's conditions.
const (
	// ReasonWaiting: no connected engine has the namespace.
	ReasonWaiting = "Waiting"
	// ReasonPulling: the engine is pulling the image.
	ReasonPulling = "Pulling"
	// ReasonRetrying: the connection to the engine broke; the controller starts the
	// pull again.
	ReasonRetrying = "Retrying"
	// ReasonPulled: the engine has the image.
	ReasonPulled = "Pulled"
	// ReasonPullFailed: the engine or the registry refused.
	ReasonPullFailed = "PullFailed"
)

// ImagePullRequestSpec describes which image to pull, and into which namespace. It
// is immutable.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the spec is immutable: create another ImagePullRequest"
type ImagePullRequestSpec struct {
	// Namespace is the name of a ContainerNamespace in the namespace of the
	// request. It selects the engine and the namespace in it. Docker's is moby.
	// +kubebuilder:default=moby
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// RepoTag is the image reference: [host[:port]/]name[:tag][@digest], as for
	// `docker pull`.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|[[][0-9a-fA-F:]+[]])(:[0-9]+)?/)?[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@[a-zA-Z][a-zA-Z0-9]*([-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,})?$')",message="must be an image reference: [host[:port]/]name[:tag][@digest], the name in lower case"
	RepoTag string `json:"repoTag"`
}

// LayerProgress is the progress of one layer of an image.
type LayerProgress struct {
	// ID is the layer's ID.
	ID string `json:"id"`

	// Status is the layer's state as the engine names it.
	Status string `json:"status"`

	// CurrentBytes is the number of bytes of the layer that are downloaded.
	// +optional
	CurrentBytes int64 `json:"currentBytes,omitempty"`

	// TotalBytes is the download size of the layer; 0 if it is not known.
	// +optional
	TotalBytes int64 `json:"totalBytes,omitempty"`
}

// PullProgress is the progress of a pull.
type PullProgress struct {
	// Percent is the part of the download and unpacking that is done; 100 when the
	// engine has the image.
	Percent int32 `json:"percent"`

	// CurrentBytes is the number of bytes that are downloaded.
	CurrentBytes int64 `json:"currentBytes"`

	// TotalBytes is the number of bytes to download, as far as it is known.
	TotalBytes int64 `json:"totalBytes"`

	// Layers are the layers of the image, in the order in which the engine
	// reported them.
	// +listType=atomic
	// +optional
	Layers []LayerProgress `json:"layers,omitempty"`
}

// ImagePullRequestStatus is the observed state of the request.
type ImagePullRequestStatus struct {
	// ObservedGeneration is the generation of the spec that the controller last
	// acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Progress is the progress of the pull. The controller updates it at most twice
	// a second.
	// +optional
	Progress *PullProgress `json:"progress,omitempty"`

	// StartedAt is when the pull last started.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// CompletedAt is when the request finished. The controller deletes the request
	// about a minute later.
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`

	// Conditions are Complete and Failed.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ImagePullRequest requests that an engine pulls an image. Deleting it cancels the
// pull.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ipr,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=3"
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.spec.repoTag`
// +kubebuilder:printcolumn:name="Percent",type=integer,JSONPath=`.status.progress.percent`
// +kubebuilder:printcolumn:name="Complete",type=string,JSONPath=`.status.conditions[?(@.type=="Complete")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Complete")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ImagePullRequest struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ImagePullRequestSpec `json:"spec"`
	// +optional
	Status ImagePullRequestStatus `json:"status,omitempty"`
}

// ImagePullRequestList is a list of ImagePullRequests.
//
// +kubebuilder:object:root=true
type ImagePullRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ImagePullRequest `json:"items"`
}
