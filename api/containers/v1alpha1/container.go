// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ContainerState is a desired state of a container.
// +kubebuilder:validation:Enum=running;paused;exited
type ContainerState string

// The desired states.
const (
	StateRunning ContainerState = "running"
	StatePaused  ContainerState = "paused"
	StateExited  ContainerState = "exited"
)

// Phase is the state of a container as the engine names it.
// +kubebuilder:validation:Enum=created;running;paused;restarting;removing;exited;dead
type Phase string

// The phases of a container.
const (
	PhaseCreated    Phase = "created"
	PhaseRunning    Phase = "running"
	PhasePaused     Phase = "paused"
	PhaseRestarting Phase = "restarting"
	PhaseRemoving   Phase = "removing"
	PhaseExited     Phase = "exited"
	PhaseDead       Phase = "dead"
)

// Action is a one-time action on a container.
// +kubebuilder:validation:Enum=start;stop;pause;unpause;restart
type Action string

// The actions.
const (
	ActionStart   Action = "start"
	ActionStop    Action = "stop"
	ActionPause   Action = "pause"
	ActionUnpause Action = "unpause"
	ActionRestart Action = "restart"
)

// Types of a Container's conditions.
const (
	ConditionRunning    = "Running"
	ConditionPaused     = "Paused"
	ConditionRestarting = "Restarting"
	ConditionOOMKilled  = "OOMKilled"
	ConditionDead       = "Dead"
)

// ConditionDeleting is False on a deleted mirror if the engine fails to remove the
// object (reason Failed, with the engine's error as the message), or reports it
// removed and still lists it (reason Contradicted).
const ConditionDeleting = "Deleting"

// Types of conditions that any mirror may have. Each is absent when all is well.
const (
	// ConditionSynced is False while the mirror differs, or may differ, from the
	// engine object. It has the same reasons as a ContainerEngine's Complete.
	ConditionSynced = "Synced"
	// ConditionTruncated is True while the status omits part of what the engine
	// reports because it is too large. The message names the fields.
	ConditionTruncated = "Truncated"
	// ConditionDeletionRefused is True on a mirror that replaces a deleted one
	// whose removal the engine refused. The message is the engine's error.
	ConditionDeletionRefused = "DeletionRefused"
)

// ContainerSpec is the desired state of a container.
type ContainerSpec struct {
	// State is the desired state. The controller brings the container to it once
	// for each change of this field. If it is empty, the controller only observes
	// the container.
	// +optional
	State ContainerState `json:"state,omitempty"`
}

// PortBinding is a host address that is forwarded to a port of a container.
type PortBinding struct {
	// HostIP is the address; 0.0.0.0 and :: are all addresses.
	// +optional
	HostIP string `json:"hostIP,omitempty"`

	// HostPort is the port number.
	// +optional
	HostPort string `json:"hostPort,omitempty"`
}

// Port is a port of a container.
type Port struct {
	// Name is the number and the protocol, as in 80/tcp.
	// +required
	Name string `json:"name"`

	// Bindings are the host addresses that are forwarded to the port; empty for a
	// port that is exposed but not published.
	// +listType=atomic
	// +optional
	Bindings []PortBinding `json:"bindings,omitempty"`
}

// Mount is a file system mounted in a container.
type Mount struct {
	// Type is bind, volume, tmpfs, npipe, cluster or image.
	// +optional
	Type string `json:"type,omitempty"`

	// Name is the name of the volume.
	// +optional
	Name string `json:"name,omitempty"`

	// Source is the source of the content on the engine's machine.
	// +optional
	Source string `json:"source,omitempty"`

	// Destination is the path in the container.
	// +required
	Destination string `json:"destination"`

	// Driver is the volume's driver.
	// +optional
	Driver string `json:"driver,omitempty"`

	// Mode is the options of the mount.
	// +optional
	Mode string `json:"mode,omitempty"`

	// ReadOnly is whether the container can only read the mount.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
}

// NetworkAttachment is a network that a container is connected to.
type NetworkAttachment struct {
	// Name of the network.
	// +required
	Name string `json:"name"`

	// IPAddress of the container in it; empty while the container is stopped.
	// +optional
	IPAddress string `json:"ipAddress,omitempty"`
}

// Pod is the Kubernetes pod that a container belongs to.
type Pod struct {
	// Name of the pod.
	// +required
	Name string `json:"name"`

	// Namespace of the pod, in the cluster.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// UID of the pod.
	// +optional
	UID string `json:"uid,omitempty"`

	// Sandbox is whether this is the pod's sandbox container, which holds its
	// Linux namespaces.
	// +optional
	Sandbox bool `json:"sandbox,omitempty"`
}

// ActionState is the result of an action.
// +kubebuilder:validation:Enum=Succeeded;Failed
type ActionState string

// The results of an action.
const (
	ActionSucceeded ActionState = "Succeeded"
	ActionFailed    ActionState = "Failed"
)

// LastAction is the last action that was requested through the Container object.
type LastAction struct {
	// Action is the requested action.
	// +required
	Action Action `json:"action"`

	// State is the result of the action.
	// +required
	State ActionState `json:"state"`

	// Error is the engine's error if the action failed.
	// +optional
	Error string `json:"error,omitempty"`

	// ObservedAt is when the controller observed the request.
	// +required
	ObservedAt metav1.Time `json:"observedAt"`

	// CompletedAt is when the engine answered.
	// +required
	CompletedAt metav1.Time `json:"completedAt"`

	// Generation is the metadata.generation whose spec.state requested the action;
	// 0 if the annotation did.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// ContainerStatus is the container as the engine describes it.
type ContainerStatus struct {
	// Name of the container, without a leading slash.
	// +optional
	Name string `json:"name,omitempty"`

	// Namespace is the name of the ContainerNamespace that the container is in.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Image is the ID of the container's image.
	// +optional
	Image string `json:"image,omitempty"`

	// ImageName is the reference that the container was created from.
	// +optional
	ImageName string `json:"imageName,omitempty"`

	// Path is the program that the container runs.
	// +optional
	Path string `json:"path,omitempty"`

	// Args are the program's arguments.
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// Labels are the container's labels in the engine.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Status is the container's state.
	// +optional
	Status Phase `json:"status,omitempty"`

	// PID is the process ID of the container's program on the engine's machine;
	// 0 if it does not run.
	// +optional
	PID int64 `json:"pid,omitempty"`

	// ExitCode is the exit code of the last run.
	// +optional
	ExitCode int32 `json:"exitCode"`

	// Error says why the container could not be started.
	// +optional
	Error string `json:"error,omitempty"`

	// CreatedAt is when the container was created.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// AgeFrom is when the object was mirrored. Its age is counted from there if
	// createdAt is in the future because the engine's clock is ahead. Absent
	// otherwise.
	// +optional
	AgeFrom *metav1.Time `json:"ageFrom,omitempty"`

	// StartedAt is when the container was last started.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// FinishedAt is when the container last exited.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// Health is starting, healthy or unhealthy; empty without a health check.
	// +optional
	Health string `json:"health,omitempty"`

	// Ports has every exposed and every published port.
	// +listType=map
	// +listMapKey=name
	// +optional
	Ports []Port `json:"ports,omitempty"`

	// PortSummary is the ports in one line, for tables.
	// +optional
	PortSummary string `json:"portSummary,omitempty"`

	// Mounts are the file systems mounted in the container.
	// +listType=map
	// +listMapKey=destination
	// +optional
	Mounts []Mount `json:"mounts,omitempty"`

	// Networks are the networks that the container is connected to.
	// +listType=map
	// +listMapKey=name
	// +optional
	Networks []NetworkAttachment `json:"networks,omitempty"`

	// ComposeProject is the Compose project that the container belongs to.
	// +optional
	ComposeProject string `json:"composeProject,omitempty"`

	// Pod is the Kubernetes pod that the container belongs to; absent if it
	// belongs to none.
	// +optional
	Pod *Pod `json:"pod,omitempty"`

	// RestartPolicy is no, always, unless-stopped, or on-failure, the last followed
	// by a colon and the maximum number of retries if there is one.
	// +optional
	RestartPolicy string `json:"restartPolicy,omitempty"`

	// RestartCount is how often the engine restarted the container.
	// +optional
	RestartCount int32 `json:"restartCount"`

	// ObservedGeneration is the generation whose spec.state the controller last
	// acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// LastAction is the last action that was requested through this object.
	// +optional
	LastAction *LastAction `json:"lastAction,omitempty"`

	// Conditions are Running, Paused, Restarting, OOMKilled and Dead, and
	// Synced, Truncated and Deleting, each only if it applies.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Container mirrors a container. Its name is the container's ID, or a hash if IDs
// may repeat, see [NamespacedContainerName].
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=8"
// +kubebuilder:selectablefield:JSONPath=`.status.name`
// +kubebuilder:selectablefield:JSONPath=`.status.namespace`
// +kubebuilder:selectablefield:JSONPath=`.status.status`
// +kubebuilder:selectablefield:JSONPath=`.status.image`
// +kubebuilder:printcolumn:name="Container",type=string,JSONPath=`.status.name`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.status.imageName`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="Ports",type=string,JSONPath=`.status.portSummary`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.metadata.labels.containers\.rancherdesktop\.io/engine`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.status['ageFrom','createdAt']`
type Container struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec has a default, so that a server-side apply can remove its last field.
	// +kubebuilder:default={}
	// +optional
	Spec ContainerSpec `json:"spec,omitempty"`
	// +optional
	Status ContainerStatus `json:"status,omitempty"`
}

// ContainerList is a list of Containers.
//
// +kubebuilder:object:root=true
type ContainerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Container `json:"items"`
}
