// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Conditions of an ImagePullRequest. It ends with exactly one of them True.
const (
	ConditionComplete = "Complete"
	ConditionFailed   = "Failed"
)

// Reasons of an ImagePullRequest's conditions.
const (
	// ReasonWaiting: no connected engine has the namespace.
	ReasonWaiting = "Waiting"
	// ReasonPulling: the engine pulls.
	ReasonPulling = "Pulling"
	// ReasonRetrying: the connection to the engine broke; the pull begins again.
	ReasonRetrying = "Retrying"
	// ReasonPulled: the image is there.
	ReasonPulled = "Pulled"
	// ReasonPullFailed: the engine or the registry refused.
	ReasonPullFailed = "PullFailed"
)

// ImagePullRequestSpec says which image to pull, and where to. It can't be
// changed.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the spec is immutable: make another ImagePullRequest"
type ImagePullRequestSpec struct {
	// Namespace is the name of a ContainerNamespace in the namespace of the
	// request: it says which engine, and where in it. Docker's is moby.
	// +kubebuilder:default=moby
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// RepoTag is the image: [host[:port]/]name[:tag][@digest], as `docker pull`
	// takes it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|[[][0-9a-fA-F:]+[]])(:[0-9]+)?/)?[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@[a-zA-Z][a-zA-Z0-9]*([-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,})?$')",message="must be an image reference: [host[:port]/]name[:tag][@digest], the name in lower case"
	RepoTag string `json:"repoTag"`
}

// LayerProgress is how far a layer of an image is.
type LayerProgress struct {
	// ID names the layer.
	ID string `json:"id"`

	// Status is the engine's word for what it does with the layer.
	Status string `json:"status"`

	// CurrentBytes were downloaded of it.
	// +optional
	CurrentBytes int64 `json:"currentBytes,omitempty"`

	// TotalBytes is the size of its download; 0 where that is not known.
	// +optional
	TotalBytes int64 `json:"totalBytes,omitempty"`
}

// PullProgress is how far a pull is.
type PullProgress struct {
	// Percent of the work is done, downloading and unpacking; 100 when the image
	// is there.
	Percent int32 `json:"percent"`

	// CurrentBytes were downloaded so far.
	CurrentBytes int64 `json:"currentBytes"`

	// TotalBytes is the size of what must be downloaded, as far as it is known.
	TotalBytes int64 `json:"totalBytes"`

	// Layers are those of the image, in the order in which the engine told of
	// them.
	// +listType=atomic
	// +optional
	Layers []LayerProgress `json:"layers,omitempty"`
}

// ImagePullRequestStatus is how far the request is.
type ImagePullRequestStatus struct {
	// ObservedGeneration is the generation of the spec that was acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Progress is how far the pull is. It is brought up to date twice a second
	// at most.
	// +optional
	Progress *PullProgress `json:"progress,omitempty"`

	// StartedAt is when the pull began, the last time.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// CompletedAt is when the request ended. A while later it is removed.
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`

	// Conditions has Complete and Failed.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ImagePullRequest asks an engine to pull an image. Deleting it ends the pull.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ipr,categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=1"
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
