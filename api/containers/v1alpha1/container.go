// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ContainerState is a state that a container can be driven to.
// +kubebuilder:validation:Enum=running;paused;exited
type ContainerState string

// The states that a container can be driven to.
const (
	StateRunning ContainerState = "running"
	StatePaused  ContainerState = "paused"
	StateExited  ContainerState = "exited"
)

// Phase is the state of a container in the engine's words.
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

// Action is something to do to a container, once.
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

// ConditionDeleting is False on any mirror that is to be deleted and whose
// engine refuses that (reason Refused, with the engine's words as its message),
// or agrees and goes on to show the object (reason Contradicted).
const ConditionDeleting = "Deleting"

// Types of conditions that any mirror may have. Each is absent when all is well.
const (
	// ConditionSynced is False while the mirror is not, or may not be, what the
	// engine has. Its reasons are those of a ContainerEngine's Complete.
	ConditionSynced = "Synced"
	// ConditionTruncated is True while the status leaves out part of what the
	// engine says, as that is too large. Its message names the fields.
	ConditionTruncated = "Truncated"
	// ConditionDeletionRefused is True on a mirror that replaces a deleted one
	// whose removal the engine refused. Its message has the engine's words.
	ConditionDeletionRefused = "DeletionRefused"
)

// ContainerSpec is what is wanted of a container.
type ContainerSpec struct {
	// State is what the container is to be driven to, once for each time that
	// it is changed. Without it the container is only observed.
	// +optional
	State ContainerState `json:"state,omitempty"`
}

// PortBinding is an address of the host that leads to a port of a container.
type PortBinding struct {
	// HostIP is the address; 0.0.0.0 and :: stand for all.
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

	// Bindings has the addresses of the host that lead to the port; none for a
	// port that is exposed and not published.
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

	// Source is where the content comes from, on the engine's machine.
	// +optional
	Source string `json:"source,omitempty"`

	// Destination is the path in the container.
	// +required
	Destination string `json:"destination"`

	// Driver is the volume's driver.
	// +optional
	Driver string `json:"driver,omitempty"`

	// Mode has the options of the mount.
	// +optional
	Mode string `json:"mode,omitempty"`

	// ReadOnly is whether the container may not write to it.
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

// Pod says which pod of Kubernetes a container belongs to.
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

	// Sandbox is whether this container is none of the pod's own, but the one that
	// holds its namespaces.
	// +optional
	Sandbox bool `json:"sandbox,omitempty"`
}

// ActionState says how an action ended.
// +kubebuilder:validation:Enum=Succeeded;Failed
type ActionState string

// How an action can end.
const (
	ActionSucceeded ActionState = "Succeeded"
	ActionFailed    ActionState = "Failed"
)

// LastAction is the last thing that was done to a container through its object.
type LastAction struct {
	// Action is what was done.
	// +required
	Action Action `json:"action"`

	// State says how it ended.
	// +required
	State ActionState `json:"state"`

	// Error has the engine's words where it failed.
	// +optional
	Error string `json:"error,omitempty"`

	// ObservedAt is when the wish was seen.
	// +required
	ObservedAt metav1.Time `json:"observedAt"`

	// CompletedAt is when the engine had answered.
	// +required
	CompletedAt metav1.Time `json:"completedAt"`

	// Generation is the metadata.generation whose spec.state asked for it; 0
	// where the annotation did.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// ContainerStatus is the container as the engine describes it.
type ContainerStatus struct {
	// Name of the container, without a slash before it.
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

	// Path is the program that runs.
	// +optional
	Path string `json:"path,omitempty"`

	// Args are the program's arguments.
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// Labels are those of the container in the engine.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Status is the container's state.
	// +optional
	Status Phase `json:"status,omitempty"`

	// PID is the process ID of the container's program on the engine's machine;
	// 0 where it does not run.
	// +optional
	PID int64 `json:"pid,omitempty"`

	// ExitCode is the exit code of the last run.
	// +optional
	ExitCode int32 `json:"exitCode"`

	// Error says why the container could not be started.
	// +optional
	Error string `json:"error,omitempty"`

	// CreatedAt is when the container was made.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// AgeFrom is what the age is counted from if createdAt is in the future, as of an
	// engine whose clock is ahead: when the object was mirrored. Absent otherwise.
	// +optional
	AgeFrom *metav1.Time `json:"ageFrom,omitempty"`

	// StartedAt is when it was last started.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// FinishedAt is when it last ended.
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

	// PortSummary has the ports in one line, for people.
	// +optional
	PortSummary string `json:"portSummary,omitempty"`

	// Mounts are the file systems mounted in the container.
	// +listType=map
	// +listMapKey=destination
	// +optional
	Mounts []Mount `json:"mounts,omitempty"`

	// Networks are those that the container is connected to.
	// +listType=map
	// +listMapKey=name
	// +optional
	Networks []NetworkAttachment `json:"networks,omitempty"`

	// ComposeProject is the Compose project that the container belongs to.
	// +optional
	ComposeProject string `json:"composeProject,omitempty"`

	// Pod is the pod of Kubernetes that the container belongs to, where it is one
	// of a cluster's.
	// +optional
	Pod *Pod `json:"pod,omitempty"`

	// RestartPolicy is no, always, unless-stopped, or on-failure, the last with
	// a colon and the number of tries where that is limited.
	// +optional
	RestartPolicy string `json:"restartPolicy,omitempty"`

	// RestartCount is how often the engine restarted the container.
	// +optional
	RestartCount int32 `json:"restartCount"`

	// ObservedGeneration is the generation whose spec.state was acted on last.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// LastAction is the last thing that was done through this object.
	// +optional
	LastAction *LastAction `json:"lastAction,omitempty"`

	// Conditions are Running, Paused, Restarting, OOMKilled and Dead, and
	// Synced, Truncated and Deleting, each only if it applies.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Container mirrors a container; its name is the container's ID, or a hash where
// IDs may repeat, see [NamespacedContainerName].
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={rdd,all}
// +kubebuilder:metadata:annotations="rdd.rancherdesktop.io/revision=6"
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

	// Spec has a default, so that a server-side apply may take its last field back.
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
