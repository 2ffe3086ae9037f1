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

// Status is what `limactl list` says of an instance.
type Status string

// What it may say. Other words are taken for [Broken].
const (
	Running Status = "Running"
	Stopped Status = "Stopped"
	Broken  Status = "Broken"
)

// Instance is one of Lima's, as `limactl list --json` prints it.
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

// Get returns an instance. The error is of the kind [NoInstance] where there is
// none.
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

// SSHEndpoint returns the host and port of the instance's SSH server, empty
// where it has none yet.
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

// Socket is a socket in the guest that is to be had on the host.
type Socket struct{ Guest, Host string }

// Sockets returns the sockets that are forwarded to the host. That one is listed
// does not say that it is there.
func (i Instance) Sockets() []Socket {
	var sockets []Socket
	for _, forward := range i.Config.PortForwards {
		if forward.HostSocket != "" && forward.GuestSocket != "" && !forward.Reverse {
			sockets = append(sockets, Socket{forward.GuestSocket, forward.HostSocket})
		}
	}
	return sockets
}

// agentPIDFile has the number of the host agent's process.
const agentPIDFile = "ha.pid"

// Processes are those of an instance; zero where there is none.
type Processes struct {
	// HostAgent serves the instance on the host, Driver is the virtual machine.
	HostAgent, Driver process.ID
}

// StartedAt returns when the host agent of an instance wrote its PID file: when
// the virtual machine was started last. It is zero where there is none.
func (c *Client) StartedAt(name string) time.Time {
	file, err := os.Stat(filepath.Join(c.Dir(name), agentPIDFile))
	if err != nil {
		return time.Time{}
	}
	return file.ModTime()
}

func (p Processes) all() []process.ID { return []process.ID{p.HostAgent, p.Driver} }

// Processes returns those that live, by the PID files. A file that is older than
// the process of its number names none of the instance's.
func (c *Client) Processes(name string) Processes {
	return Processes{
		HostAgent: readPID(filepath.Join(c.Dir(name), agentPIDFile)),
		Driver:    c.driver(name),
	}
}

// driver returns the process of the virtual machine: its file is called for the
// kind of the driver.
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

// pidFileGrace is how much later than its file a process may seem to have begun:
// the clock of files is a coarse one.
const pidFileGrace = 2 * time.Second

// readPID returns the process that wrote its number into a file, if it lives.
func readPID(path string) process.ID {
	id, began, written := namedBy(path)
	if foreign(path, id, began, written) {
		return process.ID{}
	}
	return id
}

// foreign reports whether a process is another one than that which a PID file names:
// it is younger than the file. It may only seem to be where the clock was set forward
// since then; one that was started with something in the directory of the file belongs
// there.
func foreign(path string, id process.ID, began, written time.Time) bool {
	return began.After(written.Add(pidFileGrace)) && !process.Mentions(id.PID, filepath.Dir(path)+string(filepath.Separator))
}

// namedBy returns the living process of the number in a file, when it began, and
// when the file was written.
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

// dropForeign removes the PID files that name a process which is younger than
// they are, as after a crash of the machine: limactl would take it for the
// instance's, and kill it.
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

// HalfMade reports whether an instance is what a `create` left that failed or was
// cut short, after that time.
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
