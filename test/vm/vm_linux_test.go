// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/template"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

const (
	name = "rd"

	// patience is how long anything but a boot may take.
	patience = 5 * time.Minute
	poll     = 200 * time.Millisecond
)

// TestTemplate has Lima make, run, stop, change and delete a machine of the
// built-in template: one machine for all of it, as a boot takes minutes.
func TestTemplate(t *testing.T) {
	v := newVM(t)
	v.run(patience, "create", "--name="+name, v.template())
	v.run(bootLimit, "start", "--timeout", bootLimit.String(), name)
	v.measure()
	v.checkDocker()
	v.checkContainer()
	v.run(patience, "stop", name)
	v.checkStopped()

	v.run(patience, "edit", "--param", template.ParamEngine+"="+template.EngineContainerd, name)
	v.run(bootLimit, "start", "--timeout", bootLimit.String(), name)
	v.checkContainerd()
	v.run(patience, "stop", name)

	v.run(patience, "edit", "--param", template.ParamEngine+"="+template.EngineMoby, name)
	v.run(bootLimit, "start", "--timeout", bootLimit.String(), name)
	v.checkDocker()
	v.checkPublished()
	v.run(patience, "delete", "--force", name)
	v.checkGone()
}

// vm is the machine, and what is on the host for it.
type vm struct {
	*lima
	docker, containerd string // the engines' sockets
	port               string // of the host, that the container publishes
}

// shared is a directory of the host that the guest sees.
func (v *vm) shared() string { return filepath.Join(v.home, "shared") }

// newVM is a machine that is still to be made.
func newVM(t *testing.T) *vm {
	t.Helper()
	l := newLima(t)
	return &vm{lima: l, docker: filepath.Join(l.home, "d.sock"), containerd: filepath.Join(l.home, "c.sock")}
}

// share makes the directory that the guest sees.
func (v *vm) share() {
	v.t.Helper()
	if err := os.MkdirAll(v.shared(), 0o755); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.shared(), "page"), []byte("of the host"), 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// template writes the machine's template, and returns the file.
func (v *vm) template() string {
	v.t.Helper()
	v.share()
	content, err := template.Template(template.Options{
		HostOS:           "linux",
		Engine:           template.EngineMoby,
		CPUs:             2,
		Memory:           resource.MustParse("2Gi"),
		Disk:             resource.MustParse("10Gi"),
		Image:            os.Getenv(template.ImageEnv),
		Mounts:           []template.Mount{{Location: v.shared(), MountPoint: "/mnt/shared"}},
		DockerSocket:     v.docker,
		ContainerdSocket: v.containerd,
	})
	if err != nil {
		v.t.Fatal(err)
	}
	file := filepath.Join(v.home, "rd.yaml")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		v.t.Fatal(err)
	}
	return file
}

func (v *vm) measure() {
	m := v.machine(name)
	v.t.Logf("QEMU has %d MiB resident, the host agent %d MiB", memory(m.DriverPID), memory(m.HostAgentPID))
}

// engine is a client of the guest's Docker, through the socket on the host.
func (v *vm) engine() *client.Client {
	v.t.Helper()
	engine, err := client.New(client.WithHost("unix://" + v.docker))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = engine.Close() })
	return engine
}

// checkDocker: what Lima calls ready is ready, without a second try.
func (v *vm) checkDocker() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	version, err := v.engine().ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		v.t.Fatalf("Docker does not answer, though Lima says that the machine is ready: %v\n%s", err, v.logs())
	}
	v.t.Logf("Docker %s", version.Version)
}

// checkContainer has the guest run a container that serves a file of the host, at
// a published port.
func (v *vm) checkContainer() {
	v.t.Helper()
	engine := v.engine()
	if err := dockerd.ImportBusybox(v.t.Context(), engine); err != nil {
		v.t.Fatal(err)
	}
	v.port = freePort(v.t)
	port := network.MustParsePort("80/tcp")
	created, err := engine.ContainerCreate(v.t.Context(), client.ContainerCreateOptions{
		Name: "web",
		Config: &container.Config{
			Image:        dockerd.Image,
			Cmd:          []string{"/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"},
			ExposedPorts: network.PortSet{port: {}},
		},
		HostConfig: &container.HostConfig{
			Binds:         []string{"/mnt/shared:/www:ro"},
			PortBindings:  network.PortMap{port: {{HostPort: v.port}}},
			RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways},
		},
	})
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := engine.ContainerStart(v.t.Context(), created.ID, client.ContainerStartOptions{}); err != nil {
		v.t.Fatal(err)
	}
	v.checkPublished()
}

// checkPublished: the container's port is the host's, on its loopback and nowhere
// else.
func (v *vm) checkPublished() {
	v.t.Helper()
	eventually(v.t, "the container answers at the host's port", func() error {
		page, err := get(v.t.Context(), "http://127.0.0.1:"+v.port+"/page")
		if err == nil && page != "of the host" {
			err = fmt.Errorf("it answers %q", page)
		}
		return err
	})
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		v.t.Fatal(err)
	}
	for _, address := range addresses {
		ip, _, err := net.ParseCIDR(address.String())
		if err != nil || ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		if connection, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), v.port), time.Second); err == nil {
			_ = connection.Close()
			v.t.Errorf("the container's port is open to others, at %s", ip)
		}
	}
}

func (v *vm) checkStopped() {
	v.t.Helper()
	if m := v.machine(name); m.Status != "Stopped" || len(processes(v.limaHome())) > 0 {
		v.t.Errorf("the machine was stopped, and is %+v with the processes %v", m, processes(v.limaHome()))
	}
	if _, err := net.Dial("unix", v.docker); err == nil {
		v.t.Error("the machine is stopped, and its Docker socket takes connections")
	}
}

// checkContainerd: its socket is the user's to talk to, and Docker does not run.
func (v *vm) checkContainerd() {
	v.t.Helper()
	v.run(patience, "shell", "--workdir", "/", name, "test", "-w", "/run/containerd/containerd.sock")
	connection, err := net.Dial("unix", v.containerd)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	// The first words of HTTP/2, and an empty SETTINGS frame, which a server
	// answers with its own.
	if _, err := connection.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		v.t.Fatal(err)
	}
	_ = connection.SetReadDeadline(time.Now().Add(patience))
	frame := make([]byte, 9)
	if _, err := io.ReadFull(connection, frame); err != nil || frame[3] != 4 {
		v.t.Errorf("containerd answers %v, and not with SETTINGS of HTTP/2: %v", frame, err)
	}
	units := v.run(patience, "shell", "--workdir", "/", name, "systemctl", "list-units", "--state=active", "--plain", "--no-legend", "docker.*")
	if strings.TrimSpace(units) != "" {
		v.t.Errorf("containerd was asked for, and Docker runs too:\n%s", units)
	}
}

func (v *vm) checkGone() {
	v.t.Helper()
	if _, err := os.Stat(filepath.Join(v.limaHome(), name)); !os.IsNotExist(err) {
		v.t.Errorf("the machine was deleted, and its directory is there: %v", err)
	}
	eventually(v.t, "no process of the machine runs", func() error {
		if pids := processes(v.limaHome()); len(pids) > 0 {
			return fmt.Errorf("there are %v", pids)
		}
		return nil
	})
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// freePort is a port of the host that is free now; the guest takes the same.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// eventually waits until check finds nothing wrong.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(poll)
	}
}
