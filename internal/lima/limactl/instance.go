// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

// Status is the status that `limactl list` reports of an instance.
type Status string

// The known statuses. Any other is treated as [Broken].
const (
	Running Status = "Running"
	Stopped Status = "Stopped"
	Broken  Status = "Broken"
)

// Instance is an instance, as `limactl list --json` prints it.
type Instance struct {
	Name          string `json:"name"`
	Status        Status `json:"status"`
	Dir           string `json:"dir"`
	VMType        string `json:"vmType"`
	Arch          string `json:"arch"`
	SSHAddress    string `json:"sshAddress"`
	SSHLocalPort  int    `json:"sshLocalPort"`
	SSHConfigFile string `json:"sshConfigFile"`
	HostAgentPID  int    `json:"hostAgentPID"`
	DriverPID     int    `json:"driverPID"`
	Protected     bool   `json:"protected"`
	Config        struct {
		PortForwards []struct {
			GuestSocket string `json:"guestSocket"`
			HostSocket  string `json:"hostSocket"`
			Reverse     bool   `json:"reverse"`
		} `json:"portForwards"`
		Mounts []Mount `json:"mounts"`
		User   struct {
			Home string `json:"home"`
		} `json:"user"`
	} `json:"config"`
}

// Get returns an instance. The error is of the kind [NoInstance] if there is none.
func (c *Client) Get(ctx context.Context, name string) (Instance, error) {
	var instance Instance
	if _, err := os.Stat(c.Dir(name)); os.IsNotExist(err) {
		return instance, &Error{Op: "list", Kind: NoInstance, Message: "unmatched instances"}
	}
	if err := c.dropForeign(name); err != nil {
		return instance, err
	}
	output, err := c.query(ctx, "list", "--json", name)
	if err != nil {
		return instance, err
	}
	if err := json.Unmarshal(output, &instance); err != nil || instance.Name != name {
		return instance, &Error{Op: "list", Message: fmt.Sprintf("printed no instance %s: %s", name, quote(output))}
	}
	return instance, nil
}

// SSHEndpoint returns the host and port of the instance's SSH server, empty if it has
// none yet.
func (i Instance) SSHEndpoint() string {
	if i.SSHLocalPort == 0 {
		return ""
	}
	host := i.SSHAddress
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(i.SSHLocalPort))
}

// Socket is a socket in the guest that is forwarded to the host.
type Socket struct{ Guest, Host string }

// Sockets returns the sockets that are forwarded to the host. They may not exist yet.
func (i Instance) Sockets() []Socket {
	var sockets []Socket
	for _, forward := range i.Config.PortForwards {
		if forward.HostSocket != "" && forward.GuestSocket != "" && !forward.Reverse {
			sockets = append(sockets, Socket{forward.GuestSocket, forward.HostSocket})
		}
	}
	return sockets
}

// agentPIDFile has the host agent's process ID.
const agentPIDFile = "ha.pid"

// Processes are the processes of an instance; zero if it has none.
type Processes struct {
	// HostAgent serves the instance on the host; Driver is the virtual machine.
	HostAgent, Driver process.ID
}

// StartedAt returns when the host agent of an instance wrote its PID file: the last
// start of the virtual machine. It is zero if there is no file.
func (c *Client) StartedAt(name string) time.Time {
	file, err := os.Stat(filepath.Join(c.Dir(name), agentPIDFile))
	if err != nil {
		return time.Time{}
	}
	return file.ModTime()
}

func (p Processes) all() []process.ID { return []process.ID{p.HostAgent, p.Driver} }

// Processes returns the live processes of the PID files. A file that is older than its
// process names another process.
func (c *Client) Processes(name string) Processes {
	return Processes{
		HostAgent: readPID(filepath.Join(c.Dir(name), agentPIDFile)),
		Driver:    c.driver(name),
	}
}

// driver returns the process of the virtual machine. Its PID file has the driver's
// name.
func (c *Client) driver(name string) process.ID {
	files, err := filepath.Glob(filepath.Join(c.Dir(name), "*.pid"))
	if err != nil {
		return process.ID{}
	}
	for _, file := range files {
		if filepath.Base(file) == agentPIDFile {
			continue
		}
		if id := readPID(file); id.PID != 0 {
			return id
		}
	}
	return process.ID{}
}

// pidFileGrace is how much later than its file a process may seem to start: file times
// are coarse.
const pidFileGrace = 2 * time.Second

// readPID returns the live process that wrote its ID into a file.
func readPID(path string) process.ID {
	id, began, written := namedBy(path)
	if foreign(path, id, began, written) {
		return process.ID{}
	}
	return id
}

// foreign reports whether a process is another one than the one in a PID file: it is
// younger than the file. It may only seem younger if the clock was set forward since; a
// process with a path in the file's directory on its command line belongs to the file.
func foreign(path string, id process.ID, began, written time.Time) bool {
	return began.After(written.Add(pidFileGrace)) && !process.Mentions(id.PID, filepath.Dir(path)+string(filepath.Separator))
}

// namedBy returns the live process of a PID file, when it started, and when the file
// was written.
func namedBy(path string) (id process.ID, began, written time.Time) {
	data, err := regular.Read(path, maxFile)
	if err != nil {
		return id, began, written
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return id, began, written
	}
	file, err := os.Stat(path)
	if err != nil {
		return id, began, written
	}
	if began, err = process.Began(pid); err != nil {
		return id, began, written
	}
	id, err = process.Identify(pid)
	if err != nil {
		id = process.ID{}
	}
	return id, began, file.ModTime()
}

// dropForeign removes the PID files of processes that are younger than the files, as
// after a crash of the machine: limactl would kill such processes.
func (c *Client) dropForeign(name string) error {
	files, err := filepath.Glob(filepath.Join(c.Dir(name), "*.pid"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if id, began, written := namedBy(file); id.PID != 0 && foreign(file, id, began, written) {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// HalfMade reports whether an instance is the rest of a `create` after that time that
// failed or was interrupted.
func (c *Client) HalfMade(instance Instance, since time.Time) bool {
	if _, err := os.Stat(filepath.Join(instance.Dir, appliedFile)); err == nil {
		return false
	}
	if instance.Status == Running {
		return false
	}
	made, err := os.Stat(filepath.Join(instance.Dir, templateFile))
	return err == nil && !made.ModTime().Before(since)
}
