// SPDX-License-Identifier: Apache-2.0

package template

// limaYAML is the part of Lima's format that RDD uses. Lima's templates/default.yaml is
// its reference. Missing fields have Lima's defaults.
type limaYAML struct {
	MinimumLimaVersion string `json:"minimumLimaVersion"`

	VMType    string  `json:"vmType"`
	Images    []image `json:"images"`
	CPUs      int32   `json:"cpus,omitempty"`
	Memory    string  `json:"memory,omitempty"`
	Disk      string  `json:"disk"`
	MountType string  `json:"mountType"`
	Mounts    []mount `json:"mounts,omitempty"`

	Param        map[string]string  `json:"param"`
	SSH          *sshOptions        `json:"ssh"`
	Containerd   *containerdOptions `json:"containerd"`
	HostResolver *hostResolver      `json:"hostResolver"`
	PortForwards []portForward      `json:"portForwards"`
	Provision    []provision        `json:"provision"`
	Probes       []probe            `json:"probes"`
	Message      string             `json:"message"`
}

type image struct {
	Location string `json:"location"`
	Arch     string `json:"arch,omitempty"` // empty: the host's
	Digest   string `json:"digest,omitempty"`
}

type mount struct {
	Location   string `json:"location"`
	MountPoint string `json:"mountPoint,omitempty"`
	Writable   bool   `json:"writable"`
}

// sshOptions keep the user's own keys and agent out of the guest.
type sshOptions struct {
	LoadDotSSHPubKeys bool `json:"loadDotSSHPubKeys"`
	ForwardAgent      bool `json:"forwardAgent"`
}

// containerdOptions keep Lima from installing its own containerd.
type containerdOptions struct {
	System bool `json:"system"`
	User   bool `json:"user"`
}

// hostResolver makes the host resolve the guest's names, VPN included.
type hostResolver struct {
	Enabled bool              `json:"enabled"`
	Hosts   map[string]string `json:"hosts"`
}

type portForward struct {
	GuestSocket string `json:"guestSocket,omitempty"`
	HostSocket  string `json:"hostSocket,omitempty"`

	GuestIP        string `json:"guestIP,omitempty"`
	GuestPortRange []int  `json:"guestPortRange,omitempty"`
	HostIP         string `json:"hostIP,omitempty"`
	HostPortRange  []int  `json:"hostPortRange,omitempty"`
	Proto          string `json:"proto,omitempty"`
}

type provision struct {
	Mode   string `json:"mode"`
	Script string `json:"script"`
}

type probe struct {
	Mode        string `json:"mode"`
	Description string `json:"description"`
	Script      string `json:"script"`
	Hint        string `json:"hint"`
}
