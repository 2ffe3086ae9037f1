// SPDX-License-Identifier: Apache-2.0

// Command go runs a container with Testcontainers, and asks moby's client which
// engine it reaches, both by nothing but the environment. It prints, as the
// program in ../node does, the ID of the engine and what the container wrote.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	run := map[string]func(context.Context) error{"client": askClient, "testcontainers": runContainer}[os.Args[1]]
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func askClient(ctx context.Context) error {
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	info, err := docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return err
	}
	fmt.Println("engine", info.Info.ID)
	return nil
}

func runContainer(ctx context.Context) error {
	c, err := testcontainers.Run(ctx, os.Args[2], testcontainers.WithCmd("sh", "-c", "echo it runs; exec sleep 1000"),
		testcontainers.WithWaitStrategy(wait.ForLog("it runs")))
	defer func() { _ = testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0)) }()
	if err != nil {
		return err
	}
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return err
	}
	info, err := docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return err
	}
	_, output, err := c.Exec(ctx, []string{"echo", "and takes commands"})
	if err != nil {
		return err
	}
	text, err := io.ReadAll(output)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), "and takes commands") {
		return fmt.Errorf("the command in the container printed %q", text)
	}
	fmt.Println("engine", info.Info.ID)
	return nil
}
