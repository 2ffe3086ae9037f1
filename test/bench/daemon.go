// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
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
	_, _ = d.run(context.Background(), "service", "delete")
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
	config, err := d.config(ctx)
	if err != nil {
		return usage{}, err
	}
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return usage{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/metrics", nil)
	if err != nil {
		return usage{}, err
	}
	response, err := c.Do(request)
	if err != nil {
		return usage{}, err
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return usage{}, err
	}
	cpu, err := metric(body.String(), "process_cpu_seconds_total")
	if err != nil {
		return usage{}, err
	}
	memory, err := metric(body.String(), "process_resident_memory_bytes")
	return usage{cpu: time.Duration(cpu * float64(time.Second)), memory: memory}, err
}

func metric(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("the daemon has no metric %s", name)
}
