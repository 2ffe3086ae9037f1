// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
)

// daemon is the program in a home directory of its own.
type daemon struct {
	program string
	home    string
}

func newDaemon(program string) (*daemon, error) {
	home, err := os.MkdirTemp("", "rdd-b-") // short, for sockets
	return &daemon{program: program, home: home}, err
}

// startDaemon returns a daemon that is up.
func startDaemon(ctx context.Context, program string) (*daemon, error) {
	d, err := newDaemon(program)
	if err != nil {
		return nil, err
	}
	if _, err := d.run(ctx, "service", "start"); err != nil {
		d.remove()
		return nil, err
	}
	return d, nil
}

// remove ends the daemon, and removes its home directory.
func (d *daemon) remove() {
	_, _ = d.run(context.Background(), "service", "delete", "--yes")
	_ = os.RemoveAll(d.home)
}

// run runs a command, and returns how long it took.
func (d *daemon) run(ctx context.Context, args ...string) (time.Duration, error) {
	cmd := d.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("rdd %s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
	}
	return time.Since(begin), nil
}

func (d *daemon) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Env = append(os.Environ(), "HOME="+d.home, "DOCKER_CONFIG="+filepath.Join(d.home, ".docker"), "RDD_INSTANCE=bench")
	return cmd
}

// path returns one of the instance's paths.
func (d *daemon) path(ctx context.Context, key string) (string, error) {
	out, err := d.command(ctx, "service", "paths", key).Output()
	return strings.TrimSpace(string(out)), err
}

func (d *daemon) config(ctx context.Context) (*rest.Config, error) {
	file, err := d.path(ctx, "config")
	if err != nil {
		return nil, err
	}
	return clientcmd.BuildConfigFromFlags("", file)
}

func (d *daemon) client(ctx context.Context) (ctrlclient.WithWatch, error) {
	file, err := d.path(ctx, "config")
	if err != nil {
		return nil, err
	}
	return client.New(file)
}

// usage is what the daemon's process has used.
type usage struct {
	cpu    time.Duration
	memory float64 // bytes resident
}

// usage asks the daemon's own metrics: they are the same on every system.
func (d *daemon) usage(ctx context.Context) (usage, error) {
	data, err := d.get(ctx, "/metrics")
	if err != nil {
		return usage{}, err
	}
	cpu, err := metric(string(data), "process_cpu_seconds_total")
	if err != nil {
		return usage{}, err
	}
	memory, err := metric(string(data), "process_resident_memory_bytes")
	return usage{cpu: time.Duration(cpu * float64(time.Second)), memory: memory}, err
}

// get returns what the API server answers to a path.
func (d *daemon) get(ctx context.Context, path string) ([]byte, error) {
	config, err := d.config(ctx)
	if err != nil {
		return nil, err
	}
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}

// profileTime is how long a profile takes: no longer than besideLives, or the
// lives with a containerd.
const profileTime = 2 * time.Second

// profile begins a CPU profile of the daemon, for the directory, where one is
// named, and returns a function that waits for its end and writes it.
func (d *daemon) profile(ctx context.Context, dir, name string) (finish func() error) {
	if dir == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		data, err := d.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(profileTime.Seconds())))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".pprof"), data, 0o600)
		}
		done <- err
	}()
	return func() error { return <-done }
}

func metric(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("the daemon has no metric %s", name)
}
