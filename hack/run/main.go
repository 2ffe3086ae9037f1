// SPDX-License-Identifier: Apache-2.0

// Command run is `make run`: it starts an instance of RDD, connects it to a Docker
// engine, and shows a container appear, change and disappear as an object. If no engine
// answers, it installs Debian's and runs one below .run/.
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

const (
	image         = "rdd-hello:latest"
	name          = "rdd-hello"
	maxSocketPath = 107 // bytes, of a Unix socket's path on Linux
	engineTimeout = time.Minute
	pace          = 2 * time.Second // between steps, for the reader
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	address := findEngine(ctx)
	if address == "" {
		address = ownEndpoint()
		if err := startEngine(ctx, address); err != nil {
			return err
		}
	}
	say("Using the Docker engine at %s.", address)
	if err := rdd(ctx, "set", "running=true", "containerEngine.endpoint="+address); err != nil {
		return err
	}
	docker, err := client.New(client.WithHost(address))
	if err != nil {
		return err
	}
	defer func() { _ = docker.Close() }()
	if err := show(ctx, docker); err != nil {
		return err
	}
	say(`
The instance keeps running. Try:

  bin/rdd status                                      the status, and what is wrong
  bin/rdd ctl get containers,images,volumes           the engine's objects, with kubectl
  bin/rdd ctl get containers --watch                  … while you use docker -H %s
  bin/rdd service config --file ~/.kube/rdd.yaml      for any other Kubernetes client
  bin/rdd service delete                              stop and delete the instance`, address)
	if pid := filepath.Join(engineDir(), "pid"); address == ownEndpoint() {
		say("  %skill $(cat %s)  stop the engine that was started here", strings.Join(append(elevate(), ""), " "), pid)
	}
	return nil
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func rdd(ctx context.Context, args ...string) error {
	return attached(exec.CommandContext(ctx, filepath.Join("bin", "rdd"), args...))
}

// attached runs a command with this program's streams.
func attached(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

// findEngine returns the endpoint of an engine that answers, empty for none.
func findEngine(ctx context.Context) string {
	for _, address := range []string{os.Getenv("DOCKER_HOST"), client.DefaultDockerHost, ownEndpoint()} {
		if address != "" && answers(ctx, address) {
			return address
		}
	}
	return ""
}

func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	docker, err := client.New(client.WithHost(address))
	if err != nil {
		return false
	}
	defer func() { _ = docker.Close() }()
	_, err = docker.Ping(ctx, client.PingOptions{})
	return err == nil
}

// engineDir is the directory of the engine that this program starts. It is below the
// checkout, and short, for sockets' paths.
func engineDir() string {
	dir, err := filepath.Abs(filepath.Join(".run", "docker"))
	if err != nil {
		return filepath.Join(".run", "docker")
	}
	return dir
}

func ownEndpoint() string { return endpoint.ForSocket(filepath.Join(engineDir(), "docker.sock")) }

// elevate returns the prefix of a command that requires root.
func elevate() []string {
	if os.Geteuid() == 0 {
		return nil
	}
	return []string{"sudo"}
}

func asRoot(ctx context.Context, args ...string) *exec.Cmd {
	args = append(elevate(), args...)
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// startEngine installs Debian's Docker engine if it is missing, and starts one that
// outlives this program.
func startEngine(ctx context.Context, address string) error {
	if runtime.GOOS != "linux" {
		return errors.New("no Docker engine answers: start one, or set DOCKER_HOST")
	}
	if len(endpoint.SocketPath(address)) > maxSocketPath {
		return fmt.Errorf("no Docker engine answers, and none can be started below %s: the path is too long for a socket", engineDir())
	}
	// Debian's dockerd is in a directory that only root has in PATH.
	if _, err := exec.LookPath("dockerd"); err != nil && !exists("/usr/sbin/dockerd") {
		say("No Docker engine answers. Installing Debian's …")
		if err := attached(asRoot(ctx, filepath.Join("hack", "setup"), "engine")); err != nil {
			return err
		}
	}
	dir := engineDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	say("Starting a Docker engine below %s …", dir)
	cmd := asRoot(context.WithoutCancel(ctx), "dockerd", "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--group", strconv.Itoa(os.Getgid()), "-H", address)
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(engineTimeout); !answers(ctx, address); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the Docker engine does not answer; its log is %s", log.Name())
		}
	}
	return nil
}

// show runs a container, and a watch of the objects at the same time.
func show(ctx context.Context, docker *client.Client) error {
	if err := ensureImage(ctx, docker); err != nil {
		return err
	}
	if err := removeContainer(ctx, docker); err != nil {
		return err
	}
	say("\nWatching the containers: bin/rdd ctl get containers --watch --output-watch-events\n")
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watch := exec.CommandContext(watching, filepath.Join("bin", "rdd"), "ctl", "get", "containers", "--watch", "--output-watch-events")
	watch.Cancel = func() error { return watch.Process.Signal(syscall.SIGTERM) }
	watch.Stdout, watch.Stderr = os.Stdout, os.Stderr
	if err := watch.Start(); err != nil {
		return err
	}
	defer func() {
		stop()
		_ = watch.Wait()
	}()
	for _, step := range []struct {
		title string
		do    func() error
	}{
		{"docker create --name " + name, func() error {
			_, err := docker.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: image}})
			return err
		}},
		{"docker start " + name, func() error {
			_, err := docker.ContainerStart(ctx, name, client.ContainerStartOptions{})
			return err
		}},
		{"docker stop " + name, func() error {
			_, err := docker.ContainerStop(ctx, name, client.ContainerStopOptions{})
			return err
		}},
		{"docker rm " + name, func() error { return removeContainer(ctx, docker) }},
	} {
		if err := pause(ctx); err != nil {
			return err
		}
		say("$ %s", step.title)
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return pause(ctx)
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pace):
		return nil
	}
}

func removeContainer(ctx context.Context, docker *client.Client) error {
	list, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return err
	}
	for _, c := range list.Items {
		if slices.Contains(c.Names, "/"+name) {
			if _, err := docker.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// ensureImage builds an image of a waiting program, which needs no registry.
func ensureImage(ctx context.Context, docker *client.Client) error {
	if _, err := docker.ImageInspect(ctx, image); err == nil {
		return nil
	}
	info, err := docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rdd-hello-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "hello")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./hack/run/hello")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch(info.Info.Architecture))
	if err := attached(cmd); err != nil {
		return err
	}
	archive, err := archiveOf(program)
	if err != nil {
		return err
	}
	result, err := docker.ImageImport(ctx, client.ImageImportSource{Source: archive, SourceName: "-"}, image,
		client.ImageImportOptions{Changes: []string{`ENTRYPOINT ["/hello"]`}})
	if err != nil {
		return fmt.Errorf("make the image %s: %w", image, err)
	}
	defer func() { _ = result.Close() }()
	_, err = io.Copy(io.Discard, result)
	return err
}

func goarch(machine string) string {
	switch machine {
	case "aarch64", "arm64":
		return "arm64"
	default:
		return "amd64"
	}
}

func archiveOf(program string) (io.Reader, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o755, Size: int64(len(data))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	return &archive, w.Close()
}
